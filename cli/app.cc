#include "cli/app.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <ostream>
#include <sstream>

#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {
namespace {

// kubectl's own flags that only mean something to an API server. Taken, so that the message can say
// so.
constexpr const char* kKubectlFlags[] = {"kubeconfig",      "context",        "cluster", "user",
                                         "server",          "token",          "as",      "as-uid",
                                         "tls-server-name", "request-timeout"};
constexpr std::size_t kMaxWords = 4096;

// Empty is what an unset shell variable gives, and never what was meant.
std::string NotEmpty(const std::string& text) {
  return text.empty() ? std::string("the value is empty") : std::string();
}

class CliWords : public Words {
 public:
  explicit CliWords(CLI::App& app) : app_(app) {}
  void Flag(const std::string& name, const std::string& help, bool& target) override {
    app_.add_flag(Dashes(name), target, help);
  }
  void Option(const std::string& name, const std::string& value, const std::string& help,
              std::string& target) override {
    app_.add_option(Dashes(name), target, help)->option_text(value)->type_size(1)->check(NotEmpty);
  }
  void List(const std::string& name, const std::string& value, const std::string& help,
            std::vector<std::string>& target) override {
    app_.add_option(Dashes(name), target, help)
        ->option_text(value)
        ->type_size(1)
        ->allow_extra_args(false)
        ->check(NotEmpty);
  }
  void Argument(const std::string& name, const std::string& help, std::string& target,
                bool required) override {
    app_.add_option(name, target, help)
        ->required(required)
        ->option_text(required ? "" : "[optional]")
        ->check(NotEmpty);
  }
  void Arguments(const std::string& name, const std::string& help,
                 std::vector<std::string>& target) override {
    app_.add_option(name, target, help)->check(NotEmpty);
  }

 private:
  // "w,watch" is "-w,--watch".
  static std::string Dashes(const std::string& name) {
    std::string out;
    std::istringstream parts(name);
    for (std::string part; std::getline(parts, part, ',');)
      out += (out.empty() ? "" : ",") + std::string(part.size() == 1 ? "-" : "--") + part;
    return out;
  }
  CLI::App& app_;
};

struct Parser {
  CLI::App app{"Keeps the same secrets on several hardware security modules, and proves it"};
  Globals globals;
  std::map<std::string, std::string> kubectl;
  std::vector<Verb> verbs = AllVerbs();
  std::map<CLI::App*, Runner> runners;
  std::map<CLI::App*, const Verb*> by_app;

  Parser() {
    app.name("kubectl hsm");
    app.require_subcommand(1);
    app.fallthrough();
    app.set_help_flag("-h,--help", "this text");
    AddGlobals();
    for (const Verb& verb : verbs) {
      CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
      for (const std::string& alias : verb.aliases) sub->alias(alias);
      std::string examples;
      for (const std::string& example : verb.examples)
        examples += (examples.empty() ? "Examples:\n  " : "\n  ") + example;
      sub->footer(examples);
      CliWords words(*sub);
      runners[sub] = verb.declare(words);
      by_app[sub] = &verb;
    }
  }

  void AddGlobals() {
    const char* group = "Every verb";
    app.add_option("--local", globals.local, "the cluster folder")
        ->option_text("DIR")
        ->group(group);
    app.add_option("-n,--namespace", globals.ns, "the device's namespace")
        ->option_text("NAME")
        ->group(group);
    app.add_option("--device", globals.device, "the device, where there are several")
        ->option_text("NAME")
        ->group(group);
    app.add_option("-o,--output", globals.output,
                   "table, wide, json, yaml, name or jsonpath=EXPRESSION")
        ->option_text("FORMAT")
        ->group(group);
    app.add_flag("--no-headers", globals.no_headers, "tables without their first line")
        ->group(group);
    app.add_option("--timeout", globals.timeout,
                   "how long to wait; 10s for verbs that read, 60s for those that act")
        ->option_text("DURATION")
        ->group(group);
    app.add_option("--certificate-authority", globals.wire.ca, "whom to believe among agents")
        ->option_text("FILE")
        ->group(group);
    app.add_option("--client-certificate", globals.wire.cert, "what to prove oneself to them with")
        ->option_text("FILE")
        ->group(group);
    app.add_option("--client-key", globals.wire.key, "the key of it")
        ->option_text("FILE")
        ->group(group);
    app.add_option("--color", globals.color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->option_text("WHEN")
        ->group(group);
    app.add_option("-v", globals.verbosity, "how much to say, 0 to 9")
        ->check(CLI::Range(0, 9))
        ->option_text("LEVEL")
        ->group(group);
    for (CLI::Option* option :
         app.get_options([](const CLI::Option* o) { return o->get_items_expected_max() > 0; }))
      option->check(NotEmpty);
    for (const char* flag : kKubectlFlags)
      app.add_option(fmt::format("--{}", flag), kubectl[flag], "")->group("");
  }
};

// A word that a verb does not know, named with what is near it.
std::string Nearest(const std::vector<Verb>& verbs, const std::string& word) {
  std::string best;
  for (const Verb& verb : verbs) {
    if (!word.empty() &&
        (verb.name.starts_with(word.substr(0, 3)) || word.starts_with(verb.name.substr(0, 3))))
      best = verb.name;
  }
  return best;
}

// The word that stands where a verb should: the first that is neither a flag nor the value of one.
std::string VerbWord(const Parser& parser, const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with('-')) return words[i];
    const CLI::Option* option = parser.app.get_option_no_throw(words[i]);
    if (option != nullptr && option->get_items_expected_max() > 0) ++i;
  }
  return {};
}

// The message without what stands behind a "=" in a word: where a flag is misspelt, that is a
// value.
std::string WithoutValues(std::string message, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals + 1 == word.size()) continue;
    const std::string hidden = word.substr(0, equals + 1) + "(hidden)";
    for (std::size_t at = message.find(word); at != std::string::npos;
         at = message.find(word, at + hidden.size()))
      message.replace(at, word.size(), hidden);
  }
  return message;
}

// What the parser says, without anything that may be a value: put's words are not repeated at all
// where they were not understood.
std::string MessageOf(const CLI::ParseError& error, const std::string& verb,
                      const std::vector<std::string>& words) {
  if (verb == "put" && dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    return "a word or flag is not one of put's, and not repeated here since it may be a value; "
           "values go behind --from-literal KEY=VALUE, --from-file KEY=PATH or --stdin-key KEY";
  }
  if (verb == "put" && dynamic_cast<const CLI::ConversionError*>(&error) != nullptr)
    return "a flag was given a value that it does not take, not repeated here";
  const std::string message = error.what();
  if (const std::size_t end = message.find(": At Most 1 "); end != std::string::npos)
    return message.substr(0, end) + " is given more than once, and takes one value";
  return WithoutValues(message, words);
}

int Usage(Streams& streams, const Parser& parser, const std::vector<std::string>& words,
          const std::string& message) {
  const std::string first = VerbWord(parser, words);
  const bool known = std::any_of(parser.verbs.begin(), parser.verbs.end(), [&](const Verb& verb) {
    return verb.name == first ||
           std::find(verb.aliases.begin(), verb.aliases.end(), first) != verb.aliases.end();
  });
  if (first.empty()) {
    streams.err << "error: say what to do; kubectl hsm --help lists the verbs\n";
    return kUsage;
  }
  streams.err << "error: "
              << base::Printable(known ? message
                                       : fmt::format("\"{}\" is not a verb of kubectl hsm", first))
              << "\n";
  if (const std::string near = Nearest(parser.verbs, first); !known && !near.empty())
    streams.err << fmt::format("did you mean \"{}\"?\n", near);
  streams.err << fmt::format("see kubectl hsm {}--help\n", known ? first + " " : "");
  return kUsage;
}

// What was done and could not be told is not "failed, state unchanged".
int Told(Streams& streams, bool acted, int code) {
  streams.out.flush();
  if (streams.out || code != kDone) return code;
  streams.err << (acted ? "in doubt: it is done, and standard output could not be written\n"
                        : "error: standard output could not be written\n");
  return acted ? kAccepted : kFailed;
}

}  // namespace

int RunApp(const std::vector<std::string>& words, Streams streams, const std::string& program) {
  Parser parser;
  if (words.size() > kMaxWords)
    return Usage(streams, parser, {}, fmt::format("more than {} words", kMaxWords));
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    parser.app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    const auto chosen = parser.app.get_subcommands();
    streams.out << (chosen.empty() ? parser.app.help() : chosen.front()->help("kubectl hsm"));
    return Told(streams, false, kDone);
  } catch (const CLI::ParseError& error) {
    return Usage(streams, parser, words, MessageOf(error, VerbWord(parser, words), words));
  }
  for (const auto& [flag, value] : parser.kubectl) {
    if (!value.empty())
      return Usage(streams, parser, words,
                   fmt::format("--{} names a Kubernetes cluster, which this version does not speak "
                               "to yet; use --local DIR",
                               flag));
  }
  CLI::App* chosen = parser.app.get_subcommands().front();
  Context context(streams, parser.globals, program, parser.by_app.at(chosen)->acts);
  if (auto timeout = context.Timeout(); !timeout.ok()) return context.Fail(timeout.error());
  if (auto format = CheckFormat(context); !format.ok()) return context.Fail(format.error());
  const int code = parser.runners.at(chosen)(context);
  return Told(streams, context.MayHaveActed(), code);
}

std::vector<std::string> Complete(const std::vector<std::string>& words) {
  Parser parser;
  const std::string typing = words.empty() ? "" : words.back();
  CLI::App* verb = nullptr;
  for (std::size_t i = 0; i + 1 < words.size() && verb == nullptr; ++i) {
    const auto named =
        parser.app.get_subcommands([&](CLI::App* app) { return app->check_name(words[i]); });
    if (!named.empty()) verb = named.front();
  }
  std::vector<std::string> all;
  const auto options = [&](const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group().empty()) continue;
      for (const std::string& name : option->get_lnames()) all.push_back("--" + name);
    }
  };
  if (verb == nullptr && !typing.starts_with('-')) {
    for (const Verb& one : parser.verbs) all.push_back(one.name);
  } else {
    if (verb != nullptr) options(*verb);
    options(parser.app);
  }
  std::erase_if(all, [&](const std::string& word) { return !word.starts_with(typing); });
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace hsmops::cli
