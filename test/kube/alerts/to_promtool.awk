# awk -v folder=OUT -f to_promtool.awk healthy cases: a rule test of promtool for each case, and
# OUT/names with a line "FILE NAME". ./cases says what a case is.

function fail(what) {
  printf "%s:%d: %s\n", FILENAME, FNR, what > "/dev/stderr"
  failed = 1
  exit 1
}

# "12m" -> the sample at that time; there is one every 30 s.
function sample_at(text) {
  if (text !~ /^[0-9]+m$/) fail("not a time: " text)
  return 2 * (text + 0)
}

# The series as it is scraped: with what its process, and the device it tells of, add.
function named(process, series,    name, own, labels) {
  name = own = series
  sub(/\{.*/, "", name)
  if (!sub(/^[^{]*\{/, "", own)) own = ""
  sub(/\}$/, "", own)
  labels = "namespace=\"hsm-system\",pod=\"" process "\""
  labels = labels ",job=\"hsm-" (process ~ /^manager/ ? "manager" : "agent") "\""
  if (of_device(series)) {
    labels = labels (process ~ /^manager/ ? ",device=\"payments\"" : ",node=\"" process "\"")
  }
  return name "{" labels (own == "" ? "" : "," own) "}"
}

function of_device(series) { return series ~ /^hsm_/ && series !~ /^hsm_certificate/ }

# "1x4 0": four times 1, then 0 to the end. "3+2x5": 3, 5, 7, 9, 11. "-": no sample, as at a scrape
# that does not have it (one series before that ends at once, not five minutes later).
function expand(values, out,    words, n, i, j, parts, count, start, step, at) {
  n = split(values, words, " ")
  at = 0
  for (i = 1; i <= n; ++i) {
    count = split(words[i], parts, "x") == 2 ? parts[2] : (i == n ? samples : 1)
    start = parts[1]
    step = 0
    if (start ~ /\+/) { step = start; sub(/.*\+/, "", step); sub(/\+.*/, "", start) }
    for (j = 0; j < count && at < samples; ++j) out[at++] = start == "-" ? "-" : start + j * step
  }
  while (at < samples) { out[at] = out[at - 1]; ++at }
}

function put(file, process, series, out,    i, text, before) {
  before = "-"
  for (i = 0; i < samples; ++i) {
    text = text (i ? " " : "") (out[i] != "-" ? sprintf("%d", out[i]) : before != "-" ? "stale" : "_")
    before = out[i]
  }
  printf "  - series: '%s'\n    values: '%s'\n", named(process, series), text > file
}

# The series of this case, over those of health. With `change`, manager-1 ends to lead at that
# sample, and manager-2 leads a minute later and counts from there on.
function put_series(file, change,    key, parts, i, out, other, values, counter) {
  for (key in healthy) if (!(key in own)) own[key] = healthy[key]
  for (key in own) {
    split(key, parts, " ")
    expand(own[key], out)
    if (change && parts[2] == "leader") {
      for (i = change; i < samples; ++i) out[i] = parts[1] == "manager-2" && i >= change + 2
    }
    counter = parts[2] ~ /_total/
    if (change && parts[1] == "manager-1" && of_device(parts[2])) {
      for (i = 0; i < samples; ++i) {
        other[i] = i < change + 2 ? "-" : out[i]
        if (counter && other[i] != "-" && (other[i] -= out[change]) <= 0) other[i] = "-"
      }
      for (i = change; i < samples; ++i) out[i] = counter ? out[change] : "-"
      put(file, "manager-2", parts[2], other)
    }
    put(file, parts[1], parts[2], out)
  }
}

function put_case(name, change,    file, i, j, n, words, parts) {
  file = folder "/" (++files) ".yaml"
  printf "%s %s\n", file, name > (folder "/names")
  printf "rule_files: [rules.yaml]\nevaluation_interval: 30s\ntests:\n- interval: 30s\n" > file
  print "  input_series:" > file
  put_series(file, change)
  print "  promql_expr_test:" > file
  for (i = 1; i <= ats; ++i) {
    printf "  - expr: max by (alertname, node) (ALERTS{alertstate=\"firing\"})\n    eval_time: %s\n", at[i] > file
    n = split(fires[i], words, " ")
    print "    exp_samples:" (n ? "" : " []") > file
    for (j = 1; j <= n; ++j) {
      split(words[j] "/", parts, "/")
      printf "    - labels: '{alertname=\"%s\"%s}'\n      value: 1\n", parts[1], \
        (parts[2] == "" ? "" : ",node=\"" parts[2] "\"") > file
    }
  }
  close(file)
}

function end_case(    key) {
  if (name == "") return
  if (ats == 0) fail("the case before says nothing")
  put_case(name, 0)
  if (change) put_case(name "; another leads from " changes " on", change)
  for (key in own) delete own[key]
  name = ""
  ats = change = 0
}

BEGIN { samples = 241 }
/^#/ || NF == 0 { next }
$1 == "case" { end_case(); name = $0; sub(/^case +/, "", name); next }
$1 == "change" { changes = $2; change = sample_at($2); next }
$1 == "at" {
  sample_at($2)
  at[++ats] = $2
  fires[ats] = $0
  sub(/^at +[^ ]+ */, "", fires[ats])
  if (fires[ats] == "nothing") fires[ats] = ""
  else if (fires[ats] == "") fail("what fires, or nothing?")
  next
}
NF >= 3 {
  values = $0
  sub(/^[^ ]+ +[^ ]+ +/, "", values)
  if (name == "") healthy[$1 " " $2] = values
  else own[$1 " " $2] = values
  next
}
{ fail("not understood: " $0) }
END { if (!failed) end_case() }
