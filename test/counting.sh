# shellcheck shell=bash
# Runs doctest binaries and adds up their cases; for tiers.sh and the tiers' run scripts.

passed=0
failed=0

# counted NAME COMMAND...: one doctest binary. A crash before its summary, an end that its summary does
# not explain, and no case at all are failures.
counted() {
  local name=$1 output status=0 ok=0 bad=0
  shift
  output=$(mktemp)
  echo "== $name"
  "$@" >"$output" 2>&1 || status=$?
  cat "$output"
  if [[ $(grep -a '^\[doctest\] test cases:' "$output" | tail -n 1) =~ \|\ *([0-9]+)\ passed\ *\|\ *([0-9]+)\ failed ]]; then
    ok=${BASH_REMATCH[1]}
    bad=${BASH_REMATCH[2]}
    if [[ $bad -eq 0 && $status -ne 0 ]]; then
      echo "$name: every case passed, yet it ended with $status"
      bad=1
    elif [[ $bad -eq 0 && $ok -eq 0 ]]; then
      echo "$name: no case ran"
      bad=1
    fi
  else
    echo "$name: ended with $status before its summary"
    bad=1
  fi
  rm -f -- "$output"
  passed=$((passed + ok))
  failed=$((failed + bad))
}

# counted_tier NAME COMMAND...: the same for a command that ends with `N passed, N failed`.
counted_tier() {
  local name=$1 output status=0
  shift
  output=$(mktemp)
  echo "== $name"
  "$@" >"$output" 2>&1 || status=$?
  cat "$output"
  if [[ $(tail -n 1 "$output") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
  else
    echo "$name: ended with $status before its closing line"
    failed=$((failed + 1))
  fi
  rm -f -- "$output"
}

# The closing line, and whether all is well.
print_counts() {
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 ]]
}
