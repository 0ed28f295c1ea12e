# The tiers. Each sets up what it needs by itself (tools/deps.sh), runs its
# steps one after another, goes on after a failed one, and ends with a line
# "N passed, M failed".

.PHONY: check coverage fuzz-coverage test lint machines valgrind accept nightly demo
check:
	@tools/tier.sh check
test:
	@tools/tier.sh test
coverage:
	@tools/coverage.sh
fuzz-coverage:
	@tools/fuzz_coverage.sh
lint:
	@tools/tier.sh lint
machines:
	@tools/tier.sh machines
valgrind:
	@tools/tier.sh valgrind
nightly:
	@tools/tier.sh nightly
accept:
	@tools/tier.sh accept "$(ISSUE)"
demo:
	@tools/demo.sh "$(or $(BROKER),mock)"
