# Sourced by tools/tier.sh accept D: trust. About 80 minutes, of which fuzzing takes
# KW_ACCEPT_FUZZ_SECONDS (1500); it goes on where the last run stopped.
# shellcheck shell=sh
. tools/accept/report.sh
. tools/accept/fuzz.sh

shown_own() {
    case $1 in
    fuzz_inputs) shift; echo "make fuzz fuzz-fast; tools/fuzz_all.sh $*" ;;
    bench_tls) echo bench/tls.sh ;;
    *) return 1 ;;
    esac
}

# The rows of its table, and what it says of the gate.
bench_tls() {
    bench/tls.sh >build/accept/bench-tls.log 2>&1
    bench_rc=$?
    cat build/accept/bench-tls.log
    sed -n 's/^\(kwire .*, OpenSSL .*\)/figure: \1/p' build/accept/bench-tls.log
    awk -F ' *[|] *' '$2 ~ /^(produce|consume)$/ {
        printf "figure: %s %s %s us per MB, %s times bare\n", $2, $3, $4, $5 }' build/accept/bench-tls.log
    return $bench_rc
}

report_begin D
build plain all tests bench
build mbedtls all tests
line 1 "every listener with TLS, produce and consume, and what is refused; OpenSSL" bash tests/live/tls.sh
line 1 "the same with mbedTLS" env KW=build/mbedtls/kw bash tests/live/tls.sh
line 1 "every mechanism of SASL, and what is refused; OpenSSL" bash tests/live/sasl.sh
line 1 "the same with mbedTLS" env KW=build/mbedtls/kw bash tests/live/sasl.sh
line 2 "sessions of 5 s under full load for a minute" env KW_SESSION_SECONDS=60 bash tests/live/reauth.sh
line 3 "every fault id of names, trust and hostile brokers has a test" tools/fault_cover.sh N S B
line 4 "an idle client, and one whose brokers are down for 5 minutes" \
    env KW_IDLE_SECONDS=60 KW_OUTAGE_SECONDS=300 bash tests/live/idle.sh
line 5 "CPU per MB over TLS, beside SSL_write and SSL_read alone" bench_tls
line 6 "twenty failures provoked, with the message of each" bash tests/live/errors.sh
line 7 "10,000,000 inputs for each fuzz target without a finding" \
    fuzz_inputs 10000000 "${KW_ACCEPT_FUZZ_SECONDS:-1500}" sasl tls config servers
report_end
