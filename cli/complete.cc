#include "cli/complete.h"

#include <algorithm>
#include <optional>
#include <set>

#include "cli/parser.h"
#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {
namespace {

using Names = std::set<std::string>;

// What stands before the word that is typed, and that.
struct Line {
  const CLI::App* verb = nullptr;
  const CLI::Option* valued = nullptr;  // the flag whose value is being typed
  std::size_t arguments = 0;            // of the verb, before
  std::string typing;
  std::string kept;  // of the same word, and repeated in every answer: "--flag="
  std::string local;
  std::string ns = kDefaultNamespace;
};

// "--flag", "=" and "value" become one word again. `glued`: the last was such a value.
std::vector<std::string> Glue(const std::vector<std::string>& words, bool& glued) {
  std::vector<std::string> out;
  bool open = false;
  for (const std::string& word : words) {
    glued = open;
    if (word == "=" && !out.empty() && out.back().starts_with("--") &&
        out.back().find('=') == std::string::npos) {
      out.back() += word;
      open = glued = true;
    } else if (open) {
      out.back() += word;
      open = false;
    } else {
      out.push_back(word);
    }
  }
  return out;
}

const CLI::Option* Flag(const Parser& parser, const CLI::App* verb, const std::string& name) {
  const CLI::Option* own = verb == nullptr ? nullptr : verb->get_option_no_throw(name);
  return own != nullptr ? own : parser.app.get_option_no_throw(name);
}

bool TakesValue(const CLI::Option* option) {
  return option != nullptr && option->get_items_expected_max() > 0;
}

void NoteValue(Line& line, const CLI::Option* flag, const std::string& value) {
  if (flag->check_name("--local")) line.local = value;
  if (flag->check_name("--namespace")) line.ns = value;
}

void Take(Line& line, Parser& parser, const std::string& word) {
  if (line.valued != nullptr) {
    NoteValue(line, line.valued, word);
    line.valued = nullptr;
  } else if (word.size() > 1 && word.starts_with('-')) {
    const std::size_t equals = word.find('=');
    const CLI::Option* flag = Flag(parser, line.verb, word.substr(0, equals));
    if (!TakesValue(flag)) return;
    if (equals == std::string::npos) {
      line.valued = flag;
    } else {
      NoteValue(line, flag, word.substr(equals + 1));
    }
  } else if (line.verb != nullptr) {
    ++line.arguments;
  } else {
    const auto named =
        parser.app.get_subcommands([&](CLI::App* app) { return app->check_name(word); });
    if (!named.empty()) line.verb = named.front();
  }
}

Line Read(Parser& parser, const std::vector<std::string>& words) {
  bool glued = false;
  std::vector<std::string> whole = Glue(words, glued);
  Line line;
  if (whole.empty()) return line;
  line.typing = whole.back();
  whole.pop_back();
  for (const std::string& word : whole) Take(line, parser, word);
  const std::size_t equals = line.typing.find('=');
  if (line.valued != nullptr || !line.typing.starts_with("--") || equals == std::string::npos)
    return line;
  line.valued = Flag(parser, line.verb, line.typing.substr(0, equals));
  if (!glued) line.kept = line.typing.substr(0, equals + 1);
  line.typing.erase(0, equals + 1);
  return line;
}

// The word's argument of the verb; nullptr: it takes no more.
const CLI::Option* Argument(const Line& line) {
  std::size_t at = 0;
  for (const CLI::Option* option : line.verb->get_options()) {
    if (!option->get_positional()) continue;
    if (at == line.arguments || option->get_items_expected_max() > 1) return option;
    ++at;
  }
  return nullptr;
}

template <typename T>
Names NamesOf(const Line& line) {
  Names names;
  base::SystemClock clock;
  base::SystemRng rng;
  const auto store = cluster::DirectoryResourceStore::Open(line.local, clock, rng);
  if (!store.ok()) return names;
  const auto all = cluster::LoadAll<T>(**store, line.ns);
  if (!all.ok()) return names;
  for (const T& object : all->items) names.insert(object.metadata.name);
  return names;
}

Names NodeNames(const Line& line) {
  Names names;
  base::SystemClock clock;
  base::SystemRng rng;
  const auto store = cluster::DirectoryResourceStore::Open(line.local, clock, rng);
  if (!store.ok()) return names;
  const auto all = cluster::LoadAll<cluster::HSMDevice>(**store, line.ns);
  if (!all.ok()) return names;
  for (const cluster::HSMDevice& device : all->items) {
    for (const std::string& node : device.MemberNodes()) names.insert(node);
  }
  return names;
}

// By the word that stands for the value in the help.
Completion Values(const Parser& parser, const Line& line, const CLI::Option* option) {
  Completion answer;
  if (const auto known = parser.choices.find(option); known != parser.choices.end()) {
    answer.words = known->second;
    return answer;
  }
  const std::string kind =
      option->get_positional() ? option->get_name(true) : option->get_option_text();
  if (kind == "FILE" || kind == "PATH" || kind == "[KEY=]PATH" || kind == "FOLDER" ||
      kind == "DIR") {
    answer.files = true;
    return answer;
  }
  if (line.local.empty()) return answer;
  Names names;
  if (kind == "NODE" || kind == "OTHER") names = NodeNames(line);
  if (kind == "DEVICE") names = NamesOf<cluster::HSMDevice>(line);
  if (kind == "NAME" && (option->get_positional() || option->check_name("--secret")))
    names = NamesOf<cluster::HSMSecret>(line);
  if (kind == "ID") names = NamesOf<cluster::HSMOperation>(line);
  answer.words.assign(names.begin(), names.end());
  return answer;
}

void AddFlags(const CLI::App& app, Names& all) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) all.insert("--" + name);
  }
}

Completion Candidates(const Parser& parser, const Line& line) {
  if (line.valued != nullptr) return Values(parser, line, line.valued);
  Names all;
  if (!line.typing.starts_with('-')) {
    if (line.verb == nullptr) {
      for (const Verb& one : parser.verbs) all.insert(one.name);
      return {{all.begin(), all.end()}, false};
    }
    const CLI::Option* argument = Argument(line);
    const Completion values = argument == nullptr ? Completion{} : Values(parser, line, argument);
    if (values.files || !values.words.empty()) return values;
  }
  if (line.verb != nullptr) AddFlags(*line.verb, all);
  AddFlags(parser.app, all);
  return {{all.begin(), all.end()}, false};
}

}  // namespace

Completion Complete(const std::vector<std::string>& words) {
  Parser parser;
  const Line line = Read(parser, words);
  Completion answer = Candidates(parser, line);
  std::erase_if(answer.words,
                [&](const std::string& word) { return !word.starts_with(line.typing); });
  for (std::string& word : answer.words) word.insert(0, line.kept);
  std::sort(answer.words.begin(), answer.words.end());
  return answer;
}

}  // namespace hsmops::cli
