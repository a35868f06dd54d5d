#include "cli/app.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/parser.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {
namespace {

constexpr std::size_t kMaxWords = 4096;

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

// It is a pipe, and who read it has enough: head, or a pager that was left.
bool NobodyReads() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

// What was done and could not be told is not "failed, state unchanged".
int Told(Streams& streams, bool acted, int code) {
  streams.out.flush();
  if (streams.out || code != kDone) return code;
  if (acted) {
    streams.err << "it is done, and what came of it could not be written to standard output\n";
    return kAccepted;
  }
  if (NobodyReads()) return kNobodyReads;
  streams.err << "error: standard output could not be written\n";
  return kFailed;
}

}  // namespace

int RunApp(const std::vector<std::string>& words, Streams streams, const std::string& program) {
  Parser parser(words);
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
  CLI::App* chosen = parser.app.get_subcommands().front();
  Context context(streams, std::move(parser.globals), program, parser.by_app.at(chosen)->acts);
  if (auto timeout = context.Timeout(); !timeout.ok()) return context.Fail(timeout.error());
  if (auto format = CheckFormat(context); !format.ok()) return context.Fail(format.error());
  const int code = parser.runners.at(chosen)(context);
  return Told(streams, context.MayHaveActed(), code);
}

}  // namespace hsmops::cli
