#include "cli/complete.h"

#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>

#include "cli/cluster_names.h"
#include "cli/parser.h"

namespace hsmops::cli {
namespace {

using Names = std::set<std::string>;

// Of one request, and within it of an exec plugin: a little less than a whole completion may take,
// so that both end in order.
constexpr const char* kRequestTime = "1700ms";
constexpr itimerval kWholeTime{{0, 0}, {1, 950'000}};

// cobra's directives: the shell's file names, or none of them.
constexpr std::string_view kFiles = ":0\n";
constexpr std::string_view kNoFiles = ":4\n";

// What stands before the word that is typed, and that.
struct Line {
  const CLI::App* verb = nullptr;
  const CLI::Option* valued = nullptr;  // the flag whose value is being typed
  std::vector<std::string> arguments;   // of the verb, before
  std::string typing;
  std::string kept;                  // of the same word, and repeated in every answer: "--flag="
  std::vector<std::string> globals;  // words of every verb, before
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

bool IsGlobal(const Parser& parser, const CLI::Option* flag) {
  const auto all = parser.app.get_options();
  return std::ranges::find(all, flag) != all.end();
}

void TakeFlag(Line& line, const Parser& parser, const std::string& word) {
  const std::size_t equals = word.find('=');
  const CLI::Option* flag = Flag(parser, line.verb, word.substr(0, equals));
  if (flag == nullptr) return;
  if (IsGlobal(parser, flag) && !flag->check_name("--help")) line.globals.push_back(word);
  if (TakesValue(flag) && equals == std::string::npos) line.valued = flag;
}

void Take(Line& line, const Parser& parser, const std::string& word) {
  if (line.valued != nullptr) {
    if (IsGlobal(parser, line.valued)) line.globals.push_back(word);
    line.valued = nullptr;
  } else if (word.size() > 1 && word.starts_with('-')) {
    TakeFlag(line, parser, word);
  } else if (line.verb != nullptr) {
    line.arguments.push_back(word);
  } else {
    const auto named =
        parser.app.get_subcommands([&](const CLI::App* app) { return app->check_name(word); });
    if (!named.empty()) line.verb = named.front();
  }
}

Line Read(const Parser& parser, const std::vector<std::string>& words) {
  bool glued = false;
  std::vector<std::string> whole = Glue(words, glued);
  Line line;
  if (whole.empty()) return line;
  line.typing = whole.back();
  whole.pop_back();
  for (const std::string& word : whole) Take(line, parser, word);
  if (line.valued != nullptr && IsGlobal(parser, line.valued)) line.globals.pop_back();
  const std::size_t equals = line.typing.find('=');
  if (line.valued != nullptr || !line.typing.starts_with("--") || equals == std::string::npos)
    return line;
  line.valued = Flag(parser, line.verb, line.typing.substr(0, equals));
  if (!glued) line.kept = line.typing.substr(0, equals + 1);
  line.typing.erase(0, equals + 1);
  return line;
}

// The verb's argument at this place; nullptr: it takes no more.
const CLI::Option* ArgumentAt(const CLI::App& verb, std::size_t place) {
  std::size_t at = 0;
  for (const CLI::Option* option : verb.get_options()) {
    if (!option->get_positional()) continue;
    if (at == place || option->get_items_expected_max() > 1) return option;
    ++at;
  }
  return nullptr;
}

// Where the verb takes a DEVICE before.
std::string DeviceBefore(const Line& line) {
  for (std::size_t at = 0; line.verb != nullptr && at < line.arguments.size(); ++at) {
    const CLI::Option* argument = ArgumentAt(*line.verb, at);
    if (argument != nullptr && argument->get_name(true) == "DEVICE") return line.arguments[at];
  }
  return {};
}

// By the word that stands for the value in the help. nullopt: it is no name of anything.
std::optional<Names> NamesFor(ClusterNames& cluster, const CLI::Option* option,
                              const std::string& kind) {
  if (kind == "NODE" || kind == "OTHER") return cluster.Nodes();
  if (kind == "DEVICE") return cluster.Devices();
  if (kind == "ID") return cluster.Operations();
  if (kind == "NAMESPACE") return cluster.Namespaces();
  if (kind != "NAME") return std::nullopt;
  if (option->get_positional() || option->check_name("--secret")) return cluster.Secrets();
  if (option->check_name("--context")) return cluster.Contexts();
  if (option->check_name("--cluster")) return cluster.Clusters();
  if (option->check_name("--user")) return cluster.Users();
  return std::nullopt;
}

// The words of every verb that stand before, as RunApp would read them, but for how long to wait.
// nullopt: it would refuse them.
std::optional<Globals> GlobalsOf(const Line& line) {
  Parser parser({});
  parser.app.require_subcommand(0);
  try {
    parser.app.parse(std::vector<std::string>(line.globals.rbegin(), line.globals.rend()));
  } catch (const CLI::ParseError&) {
    return std::nullopt;
  }
  parser.globals.timeout = parser.globals.kubectl.request_timeout = kRequestTime;
  return std::move(parser.globals);
}

std::optional<Names> NamesInCluster(const Line& line, const CLI::Option* option,
                                    const std::string& kind) {
  auto globals = GlobalsOf(line);
  if (!globals) return Names();
  std::ostringstream nowhere;
  std::istringstream nothing;
  Context context({nowhere, nowhere, nothing}, *std::move(globals), "", false);
  ClusterNames cluster(context, DeviceBefore(line));
  return NamesFor(cluster, option, kind);
}

// nullopt: nothing is known of what may stand there.
std::optional<Completion> Values(const Parser& parser, const Line& line,
                                 const CLI::Option* option) {
  if (const auto known = parser.choices.find(option); known != parser.choices.end())
    return Completion{known->second, false};
  const std::string kind =
      option->get_positional() ? option->get_name(true) : option->get_option_text();
  if (kind == "FILE" || kind == "PATH" || kind == "[KEY=]PATH" || kind == "FOLDER" || kind == "DIR")
    return Completion{{}, true};
  const auto names = NamesInCluster(line, option, kind);
  if (!names) return std::nullopt;
  return Completion{{names->begin(), names->end()}, false};
}

void AddFlags(const CLI::App& app, Names& all) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) all.insert("--" + name);
  }
}

Completion Candidates(const Parser& parser, const Line& line) {
  if (line.valued != nullptr) return Values(parser, line, line.valued).value_or(Completion{});
  Names all;
  if (!line.typing.starts_with('-')) {
    if (line.verb == nullptr) {
      for (const Verb& one : parser.verbs) all.insert(one.name);
      return {{all.begin(), all.end()}, false};
    }
    const CLI::Option* argument = ArgumentAt(*line.verb, line.arguments.size());
    if (argument != nullptr) {
      if (const auto values = Values(parser, line, argument)) return *values;
    }
  }
  if (line.verb != nullptr) AddFlags(*line.verb, all);
  AddFlags(parser.app, all);
  return {{all.begin(), all.end()}, false};
}

// Whatever it is that hangs, a kubeconfig or a name server: there is nothing.
extern "C" void GiveUpCompleting(int) {
  (void)!write(STDOUT_FILENO, kNoFiles.data(), kNoFiles.size());
  _exit(0);
}

}  // namespace

Completion Complete(const std::vector<std::string>& words) {
  const Parser parser(words);
  const Line line = Read(parser, words);
  Completion answer = Candidates(parser, line);
  std::erase_if(answer.words,
                [&](const std::string& word) { return !word.starts_with(line.typing); });
  for (std::string& word : answer.words) word.insert(0, line.kept);
  std::sort(answer.words.begin(), answer.words.end());
  return answer;
}

int PrintCompletion(const std::vector<std::string>& words) {
  std::signal(SIGALRM, GiveUpCompleting);
  (void)setitimer(ITIMER_REAL, &kWholeTime, nullptr);
  // An exec plugin's words would stand in the middle of what is typed.
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null >= 0) (void)dup2(null, STDERR_FILENO);
  const Completion found = Complete(words);
  std::signal(SIGALRM, SIG_IGN);
  for (const std::string& word : found.words) std::cout << word << "\n";
  std::cout << (found.files ? kFiles : kNoFiles) << std::flush;
  return 0;
}

}  // namespace hsmops::cli
