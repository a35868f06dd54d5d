#include "test/stories/script.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

namespace hsmops::stories {

using base::Duration;
using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr int kMostHosts = 9;
constexpr std::string_view kLine = "----\n";

std::vector<std::string> WordsOf(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

Result<int> Hosts(const std::string& word) {
  if (word.size() == 1 && word[0] >= '1' && word[0] <= '0' + kMostHosts) return word[0] - '0';
  return Error(ErrorCode::kInvalid, fmt::format("\"{}\" is not 1 to {}", word, kMostHosts));
}

// "12s", "P4" or "P4+12s".
Result<void> ReadTime(const std::string& word, Act& act) {
  std::string time = word;
  if (word[0] < '0' || word[0] > '9') {
    const std::size_t plus = word.find('+');
    act.moment = word.substr(0, plus);
    if (plus == std::string::npos) return {};
    time = word.substr(plus + 1);
  }
  HSM_TRY(act.at, base::ParseDuration(time));
  return {};
}

Result<void> ReadLine(const std::vector<std::string>& words, Script& script) {
  const std::string& verb = words[0];
  if (verb == "nodes" && words.size() == 2) {
    HSM_TRY(script.nodes, Hosts(words[1]));
  } else if (verb == "managers" && words.size() == 2) {
    HSM_TRY(script.managers, Hosts(words[1]));
  } else if (verb == "set" && words.size() == 3) {
    script.settings.emplace_back(words[1], words[2]);
  } else if ((verb == "write" || verb == "read") && words.size() == 3 && words[1] == "every") {
    HSM_TRY((verb == "write" ? script.write_every : script.read_every),
            base::ParseDuration(words[2]));
  } else if (verb == "at" && words.size() >= 3) {
    Act act;
    act.next = words[1] == "next";
    const std::size_t when = act.next ? 2 : 1;
    if (words.size() < when + 2) return Error(ErrorCode::kInvalid, "nothing is done");
    HSM_RETURN_IF_ERROR(ReadTime(words[when], act));
    act.words.assign(words.begin() + static_cast<std::ptrdiff_t>(when) + 1, words.end());
    act.text = fmt::format("{}", fmt::join(act.words, " "));
    script.acts.push_back(std::move(act));
  } else if (verb == "end" && words.size() == 2) {
    HSM_TRY(script.end, base::ParseDuration(words[1]));
  } else {
    return Error(ErrorCode::kInvalid, "it is no line of a script");
  }
  return {};
}

}  // namespace

Result<Script> Script::Parse(const std::string& text) {
  Script script;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line) && line + "\n" != kLine;) {
    const std::vector<std::string> words = WordsOf(line);
    if (words.empty() || words[0][0] == '#') continue;
    HSM_RETURN_IF_ERROR(ReadLine(words, script).Within(line));
  }
  if (script.end == Duration(0)) return Error(ErrorCode::kInvalid, "the script has no end");
  return script;
}

std::pair<std::string, std::string> Split(const std::string& file) {
  const std::size_t at = file.find("\n" + std::string(kLine));
  if (at == std::string::npos) return {file + std::string(kLine), ""};
  const std::size_t end = at + 1 + kLine.size();
  return {file.substr(0, end), file.substr(end)};
}

}  // namespace hsmops::stories
