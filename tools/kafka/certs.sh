#!/usr/bin/env bash
# Makes the certificates of a test cluster: tools/kafka/certs.sh FOLDER
#
#   ca.crt                the authority            stranger.crt   one that nobody trusts
#   server.pem            key and certificate of the broker: localhost, 127.0.0.1, ::1
#   OTHERNAME.pem         the same for other.example alone
#   EXPIRED.pem           the same for localhost, over since yesterday
#   client.key client.crt of a client              client.p12     both, password client-secret
#   client-locked.key     the key, encrypted with key-secret
#   stranger-client.pem   key and certificate of a client of the stranger
# Each lasts three days: whoever finds one later finds it of no use.
set -euo pipefail
mkdir -p "$1"
cd "$1"
[[ ! -f complete ]] || exit 0

authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj "/CN=kwire test $1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout "$1.key" -out "$1.crt"
}
issue() { # NAME AUTHORITY EXTENSION...
    local name=$1 authority=$2 days=${days:-3}
    shift 2
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
        -keyout "$name.key" -out "$name.csr"
    printf '%s\n' "$@" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA "$authority.crt" -CAkey "$authority.key" -CAcreateserial \
        -days "$days" -extfile "$name.ext" -out "$name.crt"
    cat "$name.key" "$name.crt" >"$name.pem"
}
{
    authority ca
    authority stranger
    issue server ca subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 extendedKeyUsage=serverAuth,clientAuth
    issue OTHERNAME ca subjectAltName=DNS:other.example extendedKeyUsage=serverAuth
    days=-1 issue EXPIRED ca subjectAltName=DNS:localhost,IP:127.0.0.1 extendedKeyUsage=serverAuth
    issue client ca extendedKeyUsage=clientAuth
    issue stranger-client stranger extendedKeyUsage=clientAuth
    openssl pkcs12 -export -in client.crt -inkey client.key -passout pass:client-secret -out client.p12
    openssl pkey -in client.key -aes256 -passout pass:key-secret -out client-locked.key
} >log 2>&1 || { cat log >&2; exit 1; }
touch complete
