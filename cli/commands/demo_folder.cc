#include "cli/commands/demo_folder.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/commands/unfinished_init.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/agent/local_token.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/resource_store.h"

namespace hsmops::cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::string_view kDevice = "default.local";  // as init names it when nobody else does
constexpr std::array kNodes = {"worker-1", "worker-2", "worker-3"};
constexpr std::size_t kNamesShown = 5;

// What tells a demo's folder from one that somebody needs.
std::string MarkOf(const std::string& folder) { return folder + "/.demo"; }

// A demo whose init was cut short, which the same command finishes.
bool Unfinished(Context& context, const std::string& folder) {
  const auto resources = context.OpenResources();
  return !resources.ok() || UnfinishedInit(folder, "default", "local").Begun();
}

Result<void> MayMakeIn(Context& context, const std::string& folder) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder, error))) return {};
  const bool marked = fs::exists(MarkOf(folder), error);
  if (marked && Unfinished(context, folder)) return {};
  if (marked)
    return Error(ErrorCode::kReadOnly,
                 fmt::format("{} holds a demo already; kubectl hsm demo down takes it down",
                             base::Printable(folder)));
  if (fs::is_directory(folder, error) && fs::is_empty(folder, error) && !error) return {};
  return Error(ErrorCode::kReadOnly,
               fmt::format("{} is there and is not an empty folder; name a new one for the demo",
                           base::Printable(folder)));
}

// Without the mark nobody would be told to take it down.
Result<void> Mark(const std::string& folder) {
  HSM_RETURN_IF_ERROR(base::MakeFolders(fs::absolute(folder).lexically_normal().string(), 0750));
  return base::WriteFile(MarkOf(folder), base::AsBytes("made by demo up\n"), 0600);
}

Error InPart(const std::string& why) {
  return {ErrorCode::kInDoubt,
          fmt::format("the demo is removed in part: {}; kubectl hsm demo down again goes on", why)};
}

// Links are removed, not followed.
class Removal {
 public:
  // A file, or a folder with everything in it.
  void All(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) Note(path, error);
  }
  // A file or a folder that is empty; one that is not stays.
  void One(const fs::path& path) {
    std::error_code error;
    fs::remove(path, error);
    if (error && error != std::errc::directory_not_empty) Note(path, error);
  }
  Result<void> Outcome() const { return outcome_; }

 private:
  void Note(const fs::path& path, const std::error_code& error) {
    if (outcome_.ok()) outcome_ = InPart(base::Printable(path.string()) + ": " + error.message());
  }

  Result<void> outcome_;
};

Result<void> HoldsNoOther(cluster::ResourceStore& resources, const std::string& folder) {
  HSM_TRY(const auto devices, resources.List(cluster::Kind::kHsmDevice, {}));
  for (const cluster::Object& device : devices.items) {
    const cluster::ObjectKey& key = device.key();
    if (key.ns + "." + key.name == kDevice) continue;
    return Error(ErrorCode::kReadOnly,
                 fmt::format("{} holds device {}/{} as well, so demo down does not touch it",
                             base::Printable(folder), key.ns, key.name));
  }
  return {};
}

// All but the secrets, which somebody else has put there.
Result<std::vector<cluster::ObjectKey>> ObjectsOf(cluster::ResourceStore& resources) {
  std::vector<cluster::ObjectKey> keys;
  for (const cluster::Kind kind : {cluster::Kind::kHsmOperation, cluster::Kind::kEvent,
                                   cluster::Kind::kLease, cluster::Kind::kHsmDevice}) {
    HSM_TRY(const auto list, resources.List(kind, cluster::kDefaultNamespace));
    for (const cluster::Object& object : list.items) keys.push_back(object.key());
  }
  return keys;
}

void RemoveTokens(Removal& removal, const fs::path& folder) {
  const fs::path tokens = folder / "tokens" / kDevice;
  for (const char* node : kNodes) {
    removal.All(tokens / node / "tokens");
    agent::RemoveUnfinishedTokens((tokens / node).string());
    for (const char* file : agent::kLocalTokenFiles) removal.One(tokens / node / file);
    removal.One(tokens / node);
  }
  removal.One(tokens);
  removal.One(tokens.parent_path());
}

// What is left of a cluster folder without objects, the mark last.
void RemoveFolders(Removal& removal, const fs::path& folder) {
  for (const cluster::Kind kind : cluster::kAllKinds) {
    removal.One(folder / "status" / cluster::Plural(kind));
    removal.One(folder / cluster::Plural(kind));
  }
  removal.One(folder / "status");
  for (const char* name : {".members", ".locks"}) {
    removal.All(folder / name / kDevice);
    removal.One(folder / name);
  }
  for (const char* name : {".cluster", ".lock"}) removal.One(folder / name);
  if (!removal.Outcome().ok()) return;
  removal.One(MarkOf(folder.string()));
  std::error_code error;
  if (fs::is_empty(folder, error)) removal.One(folder);  // --local may be a link
}

std::string NamesIn(const std::string& folder) {
  std::string names;
  std::size_t count = 0;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (++count > kNamesShown) return names + ", …";
    names += (names.empty() ? "" : ", ") + base::Printable(at->path().filename().string());
  }
  return names;
}

Result<void> TakeDown(Context& context, bool yes) {
  const std::string& folder = context.globals().local;
  if (folder.empty()) return Error(ErrorCode::kInvalid, "say where: demo down --local DIR");
  HSM_TRY(const auto resources, context.OpenResources());
  std::error_code error;
  if (!fs::exists(MarkOf(folder), error)) {
    return Error(ErrorCode::kReadOnly,
                 fmt::format("{} was not made by demo up, so demo down does not remove it",
                             base::Printable(folder)));
  }
  HSM_RETURN_IF_ERROR(HoldsNoOther(*resources, folder));
  HSM_RETURN_IF_ERROR(
      context.Confirm(fmt::format("Remove the demo in {} with its tokens and every secret on them?",
                                  base::Printable(folder)),
                      yes));
  HSM_TRY(const std::vector<cluster::ObjectKey> keys, ObjectsOf(*resources));
  for (const cluster::ObjectKey& key : keys) {
    if (auto removed = resources->Delete(key.kind, key.ns, key.name, {}); !removed.ok())
      return InPart(removed.error().message());
  }
  Removal removal;
  RemoveTokens(removal, folder);
  RemoveFolders(removal, folder);
  return removal.Outcome();
}

}  // namespace

int DemoUp(Context& context) {
  const std::string& folder = context.globals().local;
  if (folder.empty())
    return context.Fail(Error(ErrorCode::kInvalid, "say where: demo up --local DIR"));
  if (auto may = MayMakeIn(context, folder); !may.ok()) return context.Fail(may.error());
  std::error_code error;
  const bool before = fs::exists(MarkOf(folder), error);
  if (auto marked = Mark(folder); !marked.ok()) return context.Fail(marked.error());
  std::vector<std::string> init{
      "--local",   folder,       "init", "--nodes", fmt::format("{}", fmt::join(kNodes, ",")),
      "--standby", kNodes.back()};
  if (!context.globals().output.empty())
    init.insert(init.begin(), {"-o", context.globals().output});
  const int code = RunApp(init, context.streams(), context.program());
  if (code == kDone || code == kAccepted) {
    Prose(context) << fmt::format("ends with: kubectl hsm demo down --local {}\n", folder);
    return code;
  }
  if (before) return code;
  Removal removal;
  removal.One(MarkOf(folder));
  if (fs::is_empty(folder, error)) removal.One(folder);
  return code;
}

int DemoDown(Context& context, bool yes) {
  if (auto down = TakeDown(context, yes); !down.ok()) return context.Fail(down.error());
  const std::string& folder = context.globals().local;
  std::error_code error;
  if (fs::exists(folder, error)) {
    context.out() << fmt::format("removed the demo; {} stays, for it holds {}\n",
                                 base::Printable(folder), NamesIn(folder));
  } else {
    context.out() << fmt::format("removed {}\n", base::Printable(folder));
  }
  return kDone;
}

}  // namespace hsmops::cli
