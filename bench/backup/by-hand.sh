#!/bin/sh
# The restore of the original's manual, for comparison: gpg, tar and psql, here in one transaction.
# Usage: by-hand.sh SET, with PGHOST, PGPORT, PGUSER and GNUPGHOME in the environment.
set -eu
psql -q -X -d postgres -c 'drop database if exists by_hand' -c 'create database by_hand'
gpg --batch -q -d "$1" | tar -xOf - --wildcards '*/dump.sql' | psql -q -X -v ON_ERROR_STOP=1 -1 -o /dev/null -d by_hand
