#include <fmt/format.h>

#include <memory>

#include "cli/commands/verbs.h"
#include "cli/commands/writing.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/reader.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;

struct RenameWords {
  std::string name;
  std::string from;
  std::string to;
};

int Run(const RenameWords& words, Context& context) {
  auto name = store::SecretName::Parse(words.name);
  if (!name.ok()) return context.Fail(name.error());
  if (auto fits = store::CheckKeyName(words.to); !fits.ok()) return context.Fail(fits.error());
  if (words.from == words.to)
    return context.Fail(
        Error(ErrorCode::kInvalid,
              fmt::format("the key {} is to become itself: name another", words.to)));
  auto desk = Desk::Open(context, "rename-key");
  if (!desk.ok()) return context.Fail(desk.error());
  auto served = desk->Read(*name);
  if (!served.ok()) return context.Fail(served.error());
  // From a member of the sync set (policy Active) it is good enough: the write expects what was
  // read to be the version still.
  if (!served->by_primary &&
      !(served->in_sync_set && served->secret && served->secret->version != store::Version{}))
    return context.Fail(
        Error(ErrorCode::kUnavailable,
              "the Primary does not confirm what it holds: " + served->why_not_primary));
  if (!served->secret)
    return context.Fail(
        Error(ErrorCode::kNotFound, fmt::format("secret {} not found", name->text())));
  store::Keys keys = std::move(served->secret->keys);
  auto moved = keys.extract(words.from);
  if (moved.empty())
    return context.Fail(
        Error(ErrorCode::kNotFound,
              fmt::format("secret {} has no key {}", name->text(), base::Printable(words.from))));
  if (keys.contains(words.to))
    return context.Fail(Error(ErrorCode::kConflict, fmt::format("secret {} has a key {} already",
                                                                name->text(), words.to)));
  moved.key() = words.to;
  keys.insert(std::move(moved));
  std::vector<store::Write> writes;
  writes.push_back({*name, std::move(keys), false, false, {}, {}});
  // One version: the old key and the new one are never both there, nor neither.
  if (auto set = SetWriteWords(
          context,
          served->secret->version == store::Version{} ? "" : served->secret->version.Full(), "",
          writes);
      !set.ok())
    return context.Fail(set.error());
  return WriteAndPrint(context, *desk, "renamed", std::move(writes));
}

}  // namespace

Verb RenameKeyVerb() {
  return {"rename-key",
          "Rename one key of a secret, in one step",
          {},
          {"kubectl hsm rename-key app/db passwd password"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<RenameWords>();
            words.Argument("NAME", "the secret", options->name, true);
            words.Argument("FROM", "the key", options->from, true);
            words.Argument("TO", "its new name", options->to, true);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
