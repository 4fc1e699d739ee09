#!/bin/sh
# Borg with its fast compression, for comparison: the dump and the configuration into a new encrypted repository.
# Usage: borg.sh CONFDIR OUTPUT, with PGHOST, PGPORT and PGUSER in the environment.
set -eu
rm -rf "$2/borg"
export BORG_PASSPHRASE=bench BORG_BASE_DIR="$2/borg-home"
borg init --encryption repokey "$2/borg"
pg_dump keytrustee | borg create --compression zstd,1 --stdin-name dump.sql "$2/borg::set" - "$1"
