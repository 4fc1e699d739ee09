#!/bin/sh
# The way of the original product, as its manual describes it, for comparison: the dump in clear on the disk, a tar of it
# and the configuration, and GnuPG with its own compression. (`--if-exists` is ours: without it no psql -1 could load it.)
# Usage: original.sh CONFDIR OUTPUT RECIPIENT, with PGHOST, PGPORT, PGUSER and GNUPGHOME in the environment.
set -eu
pg_dump -c --if-exists keytrustee > "$2/dump.sql"
tar -C / -cf "$2/original.tar" "${1#/}" "${2#/}/dump.sql"
gpg --batch --yes --trust-model always -r "$3" -o "$2/original.tar.gpg" -e "$2/original.tar"
rm "$2/dump.sql" "$2/original.tar"
