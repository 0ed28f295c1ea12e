# Benchmarks beside other clients. `make bench-run` sets up what it needs, runs
# under ten minutes, and prints tables; see bench/RESULTS.md.

# Loads the other client's library at run time, so that it builds without it.
PEER_BIN := $(B)/bench/peers/rdkafka_bench
$(PEER_BIN): bench/peers/rdkafka_bench.c bench/load.c bench/load.h $(B)/flags
	@mkdir -p $(@D); echo "  LD    $@"
	@$(LINK) -std=c11 $(WARN) $(WERROR) $(INCLUDES) -D_GNU_SOURCE -o $@ $(filter %.c,$^) -ldl

.PHONY: bench-run
bench: $(PEER_BIN)
bench-run: all bench
	@bench/run.sh $(B)
