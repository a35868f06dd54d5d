# shellcheck shell=bash
# The tiers of `./dev test`, in their order. A tier is a function tier_NAME here or an executable
# test/NAME/run; both build what they need and end with a line `N passed, N failed`.
# docs/TESTING.md says what each stands on.

# shellcheck source=test/counting.sh
. "$HSMOPS_ROOT/test/counting.sh"

readonly tier_order=(lint unit token crash kill cli regress install fuzz asan tsan sim stories net kube)
# All there is, once: unit and crash are in asan, which sees more of them. Compiling and running
# them twice would be a third of the time. regress is not: it starts thousands of processes, and
# what crash starts is the same command line under the same sanitizer.
readonly whole_order=(lint token kill cli regress install fuzz asan tsan sim stories)
readonly beside_order=(net kube)  # run beside those: they wait most of their time

# A tier is there when it has something to run.
has_tier() {
  case $1 in
    lint | asan | tsan) return 0 ;;
    fuzz) compgen -G "$HSMOPS_ROOT/test/fuzz/*_fuzz.cc" >/dev/null ;;
    *)
      [[ -x $HSMOPS_ROOT/test/$1/run ]] && return 0
      declare -F "tier_$1" >/dev/null && [[ -n $(find "$HSMOPS_ROOT/test/$1" -name '*.cc' -print -quit 2>/dev/null) ]]
      ;;
  esac
}

# tiers_of TIER...: those of them that are there.
tiers_of() {
  local tier
  for tier in "$@"; do
    if has_tier "$tier"; then printf '%s\n' "$tier"; fi
  done
}

all_tiers() { tiers_of "${tier_order[@]}"; }
whole_tiers() { tiers_of "${whole_order[@]}"; }
beside_tiers() { tiers_of "${beside_order[@]}"; }

one_tier() {
  local run=$HSMOPS_ROOT/test/$1/run
  if [[ -x $run ]]; then
    exec "$run"
  fi
  "tier_$1"
}

# doctest_tier PRESET BINARY...: builds and runs them, adds up their summaries.
doctest_tier() {
  local preset=$1 binary
  shift
  compile "$preset" "$@"
  for binary in "$@"; do
    counted "$preset/$binary" "$HSMOPS_ROOT/build/$preset/$binary"
  done
  print_counts
}

# clang-tidy takes longer than all tests together; `./dev lint` runs it.
tier_lint() { lint layers format names shell; }
tier_unit() { doctest_tier dev unit_tests; }
tier_crash() { doctest_tier dev crash_tests; }
tier_kill() { doctest_tier dev kill_tests; }
tier_cli() { doctest_tier dev cli_tests; }
tier_regress() { doctest_tier dev regress_tests; }
tier_net() { doctest_tier dev net_tests; }
tier_fuzz() { fuzz "${HSMOPS_FUZZ_SECONDS:-10}"; }

# The doctest binaries of those tiers that are there.
binaries_of() { tiers_of "$@" | sed 's/$/_tests/'; }

# sanitized PRESET TIER...: their cases again, in a build with this sanitizer.
sanitized() {
  local preset=$1 binaries binary
  shift
  export HSMOPS_SANITIZED=$preset
  ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer-19)
  export ASAN_SYMBOLIZER_PATH TSAN_SYMBOLIZER_PATH=$ASAN_SYMBOLIZER_PATH
  mapfile -t binaries < <(for tier in "$@"; do [[ $tier == token ]] || binaries_of "$tier"; done)
  compile "$preset" "${binaries[@]}"
  for binary in "${binaries[@]}"; do
    counted "$preset/$binary" "$HSMOPS_ROOT/build/$preset/$binary"
  done
  if [[ " $* " == *" token "* ]]; then
    counted_tier "$preset/token" env HSMOPS_PRESET="$preset" HSMOPS_TOKENS=softhsm "$HSMOPS_ROOT/test/token/run"
  fi
}

tier_asan() {
  # The modules under test are not ours and leak at will.
  export LSAN_OPTIONS="suppressions=$HSMOPS_ROOT/test/support/lsan.supp:print_suppressions=0"
  export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1"
  export UBSAN_OPTIONS="print_stacktrace=1"
  sanitized asan unit token crash
  print_counts
}

# Threads are in the library's executor, watches and children, and in the command line above them.
tier_tsan() {
  export TSAN_OPTIONS="suppressions=$HSMOPS_ROOT/test/support/tsan.supp:second_deadlock_stack=1"
  sanitized tsan unit token
  compile tsan cli_tests
  counted tsan/cli "$HSMOPS_ROOT/build/tsan/cli_tests" --test-case="json:*,two*"
  print_counts
}
