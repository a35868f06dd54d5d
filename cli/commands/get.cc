#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "cli/commands/recorded_secret.h"
#include "cli/commands/verbs.h"
#include "cli/commands/writing.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/mirrored_secret.h"
#include "libhsmops/manager/reader.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;

struct GetWords {
  std::string name;
  std::string key;
  bool reveal = false;
  bool raw = false;
};

// A value on a terminal: text as it is, anything else in base64.
std::string Shown(const base::SecretBytes& value) {
  std::string text(value.view().begin(), value.view().end());
  if (base::Printable(text) == text ||
      (base::IsUtf8(text) && text.find('\x1b') == std::string::npos &&
       text.find('\0') == std::string::npos))
    return text;
  return "base64:" + base::Base64(value.view());
}

void Mark(Context& context, const manager::Served& served) {
  if (served.by_primary) return;
  const std::string age =
      served.secret->written_at == base::WallTime{}
          ? "of unknown age"
          : fmt::format("written {} ago",
                        base::FormatDuration(context.clock().Wall() - served.secret->written_at));
  context.Warn(fmt::format(
      "served by mirror {} ({}), version {} {}: not confirmed by the Primary: {}", served.node,
      served.in_sync_set ? "in the sync set" : "not in the sync set, may be old",
      served.secret->version.ToString(), age, base::Printable(served.why_not_primary)));
}

nlohmann::json DocumentOf(const cluster::HSMDevice& device, const store::SecretName& name,
                          const manager::Served& served, bool reveal) {
  nlohmann::json document = manager::MirroredSecretOf(device, name.text(), served);
  if (!reveal) return document;
  for (const auto& [key, value] : served.secret->keys)
    document["data"][key] = base::Base64(value.view());
  return document;
}

int ShowServed(const GetWords& words, const store::SecretName& name,
               const cluster::HSMDevice& device, const base::Result<manager::Served>& served,
               Context& context) {
  if (!served.ok()) return context.Fail(served.error());
  if (const auto there = manager::CheckServed(name, *served); !there.ok())
    return context.Fail(there.error());
  Mark(context, *served);
  const store::Secret& secret = *served->secret;
  const auto key = secret.keys.find(words.key);
  if (!words.key.empty() && key == secret.keys.end())
    return context.Fail(
        Error(ErrorCode::kNotFound,
              fmt::format("secret {} has no key {}", name.text(), base::Printable(words.key))));
  if (words.raw) {
    context.out().write(reinterpret_cast<const char*>(key->second.data()),
                        static_cast<std::streamsize>(key->second.size()));
    return kDone;
  }
  return Print(context, DocumentOf(device, name, *served, words.reveal), [&](bool) {
    context.out() << fmt::format("{}  version {}  from {}{}\n", name.text(),
                                 secret.version.ToString(), served->node,
                                 served->by_primary ? "" : " (mirror)");
    for (const auto& [one, value] : secret.keys) {
      if (words.key.empty() || words.key == one)
        context.out() << fmt::format(
            "{}: {}\n", one,
            words.reveal ? Shown(value) : fmt::format("(hidden), {} bytes", value.size()));
    }
  });
}

// Of those that deliver it, whose Secret is the latest; nullopt: none does.
std::optional<cluster::HSMSecret> LastDelivery(const store::SecretName& name,
                                               const cluster::HSMDevice& device, Context& context) {
  const VisibleSecrets visible = VisibleHsmSecrets(context, {device});
  const auto deliveries = LastDeliveries(visible.items, device);
  const auto last = deliveries.find(name.text());
  if (last == deliveries.end()) return std::nullopt;
  return *last->second;
}

// Where the live API does not answer, for `why`: what was delivered of it, which is no value.
int ShowRecorded(const GetWords& words, const store::SecretName& name,
                 const cluster::HSMDevice& device, const Error& why, Context& context) {
  const bool wants_values = words.reveal || !words.key.empty();
  const auto delivery = wants_values ? std::nullopt : LastDelivery(name, device, context);
  if (!delivery) return context.Fail(why);
  context.Warn(base::Printable(why.message()));
  const nlohmann::json recorded = RecordedSecrets(context, device, {*delivery}).front();
  const int printed = Print(context, recorded, [&](bool) {
    const std::string version = kube::TextIn(recorded, "/status/version");
    context.out() << fmt::format("{}  version {}  as delivered to {}/{}\n", name.text(),
                                 version.substr(0, version.rfind('.')), delivery->metadata.ns,
                                 delivery->metadata.name);
  });
  return printed == kDone ? kPartial : printed;
}

// A script would take nothing at all for the value.
base::Result<void> CheckShows(const GetWords& words, const std::string& output) {
  if (words.reveal || output.find(".data") == std::string::npos) return {};
  return Error(ErrorCode::kInvalid, "-o asks for .data, and values are shown only with --reveal");
}

int Run(const GetWords& words, Context& context) {
  if (auto shows = CheckShows(words, context.globals().output); !shows.ok())
    return context.Fail(shows.error());
  const auto name = store::SecretName::Parse(words.name);
  if (!name.ok()) return context.Fail(name.error());
  if (words.raw && words.key.empty())
    return context.Fail(Error(ErrorCode::kInvalid, "--raw wants --key KEY"));
  auto desk = Desk::Open(context, "get");
  if (!desk.ok()) return context.Fail(desk.error());
  const auto served = desk->Read(*name);
  if (context.OnKubernetes() && served.Is(ErrorCode::kUnavailable))
    return ShowRecorded(words, *name, desk->device(), served.error(), context);
  return ShowServed(words, *name, desk->device(), served, context);
}

}  // namespace

Verb GetVerb() {
  return {"get",
          "Show a secret; its values only with --reveal",
          {},
          {"kubectl hsm get app/db", "kubectl hsm get app/db --key password --raw"},
          false,
          [](Words& words) -> Runner {
            auto options = std::make_shared<GetWords>();
            words.Argument("NAME", "the secret", options->name, true);
            words.Flag("reveal", "show the values", options->reveal);
            words.Option("key", "KEY", "only this key", options->key);
            words.Flag("raw", "the value of --key, byte for byte", options->raw);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
