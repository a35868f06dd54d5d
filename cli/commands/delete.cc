#include <fmt/format.h>

#include <memory>

#include "cli/commands/verbs.h"
#include "cli/commands/writing.h"

namespace hsmops::cli {
namespace {

struct DeleteWords {
  std::string name;
  std::string expect;
  std::string op_id;
  bool yes = false;
};

int Run(const DeleteWords& words, Context& context) {
  auto name = store::SecretName::Parse(words.name);
  if (!name.ok()) return context.Fail(name.error());
  std::vector<store::Write> writes;
  writes.push_back({*name, {}, true, false, {}, {}});
  if (auto set = SetWriteWords(context, words.expect, words.op_id, writes); !set.ok())
    return context.Fail(set.error());
  if (auto sure = context.Confirm(fmt::format("Delete secret {} on every member?", name->text()),
                                  words.yes);
      !sure.ok())
    return context.Fail(sure.error());
  // Asked for by its id it may have been done before: then a sync may have collected it since.
  return WriteAndPrint(context, "delete", std::move(writes),
                       words.op_id.empty() ? Absent::kIsAnError : Absent::kIsDone);
}

}  // namespace

Verb DeleteVerb() {
  return {
      "delete",
      "Delete a secret on every member",
      {"rm"},
      {"kubectl hsm delete app/db --yes"},
      true,
      [](Words& words) -> Runner {
        auto options = std::make_shared<DeleteWords>();
        words.Argument("NAME", "the secret", options->name, true);
        words.Option("expect", "VERSION", "refuse unless this is the version now", options->expect);
        words.Option("op-id", "UUID", "the same id again does not delete twice", options->op_id);
        words.Flag("yes", "do not ask", options->yes);
        return [options](Context& context) { return Run(*options, context); };
      }};
}

}  // namespace hsmops::cli
