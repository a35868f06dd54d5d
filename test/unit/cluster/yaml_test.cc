#include "libhsmops/cluster/yaml.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"

namespace hsmops::cluster {
namespace {

using base::ErrorCode;
using nlohmann::json;

json Parsed(std::string_view text) {
  auto value = ParseYaml(text);
  if (!value.ok()) FAIL(value.error().message());
  return *value;
}

// Any text that is UTF-8: letters, YAML's own characters, breaks, controls and beyond.
rc::Gen<std::string> AnyText() {
  const auto piece = rc::gen::oneOf(
      rc::gen::map(rc::gen::inRange(0x20, 0x7F),
                   [](int c) { return std::string(1, static_cast<char>(c)); }),
      rc::gen::element<std::string>(":", "#", "-", " ", "\n", "\t", "'", "\"", "\\", "{", "]", "&a",
                                    "*a", "!", "|", ">", "%", "@"),
      rc::gen::element<std::string>("\x01", "\x04", "\x7f", "\xc2\x85", "\xc2\xa0", "\xe2\x80\xa8",
                                    "\xef\xbb\xbf", "\xef\xbf\xbe", "\xed\x9f\xbf",
                                    "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", std::string(1, '\0')));
  const auto joined = rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                                   [](const std::vector<std::string>& pieces) {
                                     std::string text;
                                     for (const std::string& each : pieces) text += each;
                                     return text;
                                   });
  return rc::gen::oneOf(
      joined, rc::gen::element<std::string>(
                  "true", "Yes", "on", "n", "null", "~", "", "1.0", "0x10", "0o7", "1_000", "1:30",
                  "1e3", ".5", ".inf", "-.INF", ".NaN", "2026-01-01", "2026-01-01T00:00:00Z", "<<",
                  "=", "---", "...", "- a", "a: b", " lead", "trail ", "+1", "-", "0755", "00",
                  "0b1", "NaN", "Infinity"));
}

rc::Gen<json> AnyJson(int depth) {
  const auto scalar = rc::gen::oneOf(
      rc::gen::map(AnyText(), [](const std::string& text) { return json(text); }),
      rc::gen::map(rc::gen::arbitrary<std::int64_t>(), [](std::int64_t n) { return json(n); }),
      rc::gen::map(rc::gen::arbitrary<double>(), [](double n) { return json(n); }),
      rc::gen::map(rc::gen::arbitrary<bool>(), [](bool b) { return json(b); }),
      rc::gen::just(json()));
  if (depth == 0) return scalar;
  const auto inner = rc::gen::lazy([depth] { return AnyJson(depth - 1); });
  const auto list = rc::gen::map(rc::gen::container<std::vector<json>>(inner),
                                 [](const std::vector<json>& items) { return json(items); });
  const auto map = rc::gen::map(rc::gen::container<std::vector<std::pair<std::string, json>>>(
                                    rc::gen::pair(AnyText(), inner)),
                                [](const std::vector<std::pair<std::string, json>>& items) {
                                  json object = json::object();
                                  for (const auto& [key, value] : items)
                                    object[key.substr(0, 64)] = value;
                                  return object;
                                });
  return rc::gen::oneOf(scalar, list, map);
}

bool KeysAreUtf8(const json& value) {
  if (!value.is_structured()) return true;
  for (const auto& item : value.items()) {
    if (value.is_object() && !base::IsUtf8(item.key())) return false;
    if (!KeysAreUtf8(item.value())) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("what is written as YAML reads back as the same values") {
  CHECK(rc::check([] {
    const json value = *rc::gen::scale(0.4, AnyJson(3));
    RC_PRE(KeysAreUtf8(value));
    const auto text = EmitYaml(value);
    RC_ASSERT(text.ok());
    const auto back = ParseYaml(*text);
    if (!back.ok()) RC_FAIL(back.error().message() + "\n" + *text);
    RC_ASSERT(*back == value);
    RC_ASSERT(back->type() == value.type() || value.is_number());
  }));
}

TEST_CASE("a string that some reader takes for something else is quoted") {
  for (const char* const text :
       {"true", "Yes", "NO",   "on",   "Off",   "y",     "N",          "null",
        "~",    "1.0", "0x10", "0o17", "1_000", "12:30", "2026-01-01", "2026-01-01T00:00:00Z",
        "",     " a",  "a: b", "a #b", "-",     "1e3",   ".inf",       "NaN",
        "<<",   "="}) {
    CAPTURE(text);
    CHECK(EmitYaml(json(text))->starts_with('"'));
    CHECK(EmitYaml(json{{text, 1}})->starts_with('"'));
  }
  CHECK(*EmitYaml(json("worker-1")) == "worker-1\n");
}

TEST_CASE("plain scalars have the types that kubectl gives them") {
  CHECK(Parsed("[y, Yes, TRUE, on]") == json({true, true, true, true}));
  CHECK(Parsed("[n, No, FALSE, off]") == json({false, false, false, false}));
  CHECK(Parsed("[null, ~, Null]") == json({nullptr, nullptr, nullptr}));
  CHECK(Parsed("[10, -3, +4, 0x10, 0o17, 0755, 0b11, 1_000]") ==
        json({10, -3, 4, 16, 15, 493, 3, 1000}));
  CHECK(Parsed("[9223372036854775807, 18446744073709551615, -9223372036854775808]") ==
        json({INT64_MAX, UINT64_MAX, INT64_MIN}));
  CHECK(Parsed("[1.5, .5, 1e3, 089]") == json({1.5, 0.5, 1000.0, 89.0}));
  CHECK(Parsed("[2026-01-01, 1:30, worker-1, 1.2.3, tRUE]") ==
        json({"2026-01-01", "1:30", "worker-1", "1.2.3", "tRUE"}));
  CHECK(Parsed("['10', \"true\", !!str 5, 'null']") == json({"10", "true", "5", "null"}));
  CHECK(Parsed("a: |\n  10\nb: >\n  yes\n") == json({{"a", "10\n"}, {"b", "yes\n"}}));
  CHECK(Parsed("5: x\ntrue: y\n") == json({{"5", "x"}, {"true", true}}));
  CHECK(Parsed("").is_null());
  CHECK(Parsed("# nothing\n---\n").is_null());
}

TEST_CASE("aliases and merges read as copies, the map's own keys first") {
  CHECK(
      Parsed("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\n") ==
      json(
          {{"a", {{"p", 1}, {"q", 2}}}, {"b", {{"p", 1}, {"q", 3}}}, {"c", {{"p", 1}, {"q", 2}}}}));
}

TEST_CASE("JSON is read as JSON, its escapes included") {
  CHECK(Parsed("{\n\t\"a\": \"\\ud83d\\ude00\\/\",\n\t\"b\": [1, true]\n}") ==
        json({{"a", "\xf0\x9f\x98\x80/"}, {"b", {1, true}}}));
  CHECK(ParseYaml("{\"a\": 1, \"a\": 2}").Is(ErrorCode::kCorrupt));
}

TEST_CASE("what cannot be read is refused with its place") {
  const auto refused = [](std::string_view text) {
    const auto value = ParseYaml(text);
    return value.ok() ? "accepted: " + value->dump() : value.error().message();
  };
  CHECK(refused("a: 1\nb: 2\na: 3\n") == "line 3, column 1: the key \"a\" is there twice");
  CHECK(refused("a: [1, 2\nb: 3\n").starts_with("line "));
  CHECK(refused("a: 'x\n").starts_with("line "));
  CHECK(refused("a: \x04 b\n") == "line 1, column 4: the control character 0x04");
  CHECK(refused("a: 1\nb: \xff\n") == "line 2, column 1: the line is not UTF-8");
  CHECK(refused("a: .nan\n").starts_with("line 1, column 4: JSON has no"));
  CHECK(refused("? [a]\n: 1\n").ends_with("is a bracket not closed?"));
  CHECK(refused("a: !!binary aGk=\n").starts_with("line 1, column 4: the tag is not understood"));
  CHECK(refused("a: &x [*x]\n").ends_with("an alias stands within what it names"));
}

TEST_CASE("depth and what aliases expand to are bounded") {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) laughs += previous + (j < 9 ? ", " : "]\n");
  }
  CHECK(ParseYaml(laughs).Is(ErrorCode::kLimit));
  CHECK(ParseYaml(std::string(65, '[') + std::string(65, ']')).Is(ErrorCode::kLimit));
  CHECK(ParseYaml(std::string(64, '[') + std::string(64, ']')).ok());
  CHECK_FALSE(ParseYaml(std::string(100'000, '[')).ok());
  CHECK_FALSE(ParseYaml("{\"a\":" + std::string(100'000, '[')).ok());
  json deep = json::array();
  for (int i = 1; i < 64; ++i) deep = json::array({deep});
  CHECK(ParseYaml(*EmitYaml(deep)).ok());
  CHECK(EmitYaml(json::array({deep})).Is(ErrorCode::kLimit));
  CHECK(EmitYaml(json{{std::string(1001, 'k'), 1}}).Is(ErrorCode::kLimit));
  CHECK(EmitYaml(json("\xff")).Is(ErrorCode::kInvalid));
}

}  // namespace hsmops::cluster
