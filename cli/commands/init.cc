#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <set>

#include "cli/commands/leftovers.h"
#include "cli/commands/unfinished_init.h"
#include "cli/commands/verbs.h"
#include "cli/context.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/agent/local_token.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/endpoint.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/look.h"
#include "libhsmops/manager/sync.h"
#include "libhsmops/token/uri.h"

namespace hsmops::cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::string_view kDefaultDevice = "local";
constexpr int kLockTries = 100;

struct InitWords {
  std::string nodes;  // a,b,c
  std::vector<std::string> standby;
  std::vector<std::string> members;  // NODE=pkcs11:…
};

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

// Which nodes, and where the tokens are that exist; a node without URI gets a SoftHSM token of its
// own. `device` lacks the endpoints of those.
struct Wanted {
  std::vector<std::string> nodes;
  std::map<std::string, std::string> uris;
  cluster::HSMDevice device;
};

Error OneForTwo(const std::string& first, const std::string& second, ErrorCode code,
                const std::string& how) {
  return {code, fmt::format("nodes {} and {} have the same token: {}; each needs one of its own",
                            first, second, how)};
}

// A token's URI, or where its agent is.
Result<std::string> EndpointOf(const std::string& text) {
  if (text.starts_with("https:")) {
    HSM_RETURN_IF_ERROR(cluster::CheckEndpoint(text));
    return text;
  }
  HSM_TRY(const token::Uri uri, token::Uri::Parse(text));
  return uri.ToString();
}

// Agents know their pool by its certificates.
Result<std::optional<store::Uid>> KnownPool(Context& context, const cluster::HSMDevice& device) {
  const auto& endpoints = device.spec.mirroring->endpoints;
  const bool agents = std::ranges::any_of(
      endpoints, [](const auto& entry) { return entry.second.starts_with("https:"); });
  if (!agents) return std::optional<store::Uid>();
  HSM_TRY(const Wire* wire, context.OpenWire());
  return std::optional(wire->pool());
}

Result<Wanted> ReadNodes(const InitWords& words) {
  Wanted asked;
  if (!words.nodes.empty()) asked.nodes = Split(words.nodes);
  for (const std::string& member : words.members) {
    const std::size_t equals = member.find('=');
    if (equals == std::string::npos)
      return Error(ErrorCode::kInvalid, "--member wants NODE=pkcs11:… or NODE=https://…");
    const std::string node = member.substr(0, equals);
    HSM_TRY(asked.uris[node],
            EndpointOf(member.substr(equals + 1)).Within("--member " + base::Printable(node)));
    if (std::find(asked.nodes.begin(), asked.nodes.end(), node) == asked.nodes.end())
      asked.nodes.push_back(node);
  }
  if (asked.nodes.empty())
    return Error(ErrorCode::kInvalid,
                 "name the nodes: --nodes worker-1,worker-2,worker-3, or --member NODE=pkcs11:… "
                 "for tokens that exist");
  std::set<std::string> seen;
  for (const std::string& node : asked.nodes) {
    HSM_RETURN_IF_ERROR(cluster::CheckName(node).Within("node"));
    if (!seen.insert(node).second)
      return Error(ErrorCode::kInvalid, fmt::format("node {} is named twice", node));
  }
  std::map<std::string, std::string> nodes;
  for (const auto& [node, uri] : asked.uris) {
    const auto [other, is_new] = nodes.emplace(uri, node);
    if (!is_new) return OneForTwo(other->second, node, ErrorCode::kInvalid, "their URIs are equal");
  }
  return asked;
}

Result<Wanted> Understand(Context& context, const InitWords& words, const UnfinishedInit& init,
                          const std::string& name) {
  HSM_TRY(Wanted wanted, ReadNodes(words));
  cluster::HSMDevice& device = wanted.device;
  device.metadata.name = name;
  device.metadata.ns = context.ns();
  cluster::MirroringSpec& mirroring = device.spec.mirroring.emplace();
  mirroring.primary_node = wanted.nodes.front();
  for (const std::string& list : words.standby) {
    for (const std::string& node : Split(list)) mirroring.standby_nodes.push_back(node);
  }
  mirroring.target_nodes.assign(wanted.nodes.begin() + 1, wanted.nodes.end());
  if (wanted.nodes.size() == 1) mirroring.policy = cluster::MirroringPolicy::kNone;
  for (const std::string& node : wanted.nodes) {
    const auto given = wanted.uris.find(node);
    mirroring.endpoints[node] =
        given == wanted.uris.end() ? "pkcs11:token=x?module-path=/x" : given->second;
    if (given == wanted.uris.end())
      HSM_RETURN_IF_ERROR(
          agent::CheckLocalTokenFolder(init.TokenFolder(node).string()).Within(node));
  }
  HSM_RETURN_IF_ERROR(device.Validate());  // before any token is made
  return wanted;
}

// Whether the same words have made this device.
bool Made(const Wanted& wanted, const UnfinishedInit& init, const cluster::HSMDevice& device) {
  if (!device.spec.mirroring) return false;
  const cluster::MirroringSpec& is = *device.spec.mirroring;
  const cluster::MirroringSpec& want = *wanted.device.spec.mirroring;
  if (is.primary_node != want.primary_node || is.target_nodes != want.target_nodes ||
      is.standby_nodes != want.standby_nodes || is.endpoints.size() != wanted.nodes.size())
    return false;
  return std::ranges::all_of(wanted.nodes, [&](const std::string& node) {
    const auto endpoint = is.endpoints.find(node);
    if (endpoint == is.endpoints.end()) return false;
    if (wanted.uris.contains(node)) return endpoint->second == wanted.uris.at(node);
    const auto uri = token::Uri::Parse(endpoint->second);
    return uri.ok() && uri->softhsm_conf == (init.TokenFolder(node) / "softhsm2.conf").string();
  });
}

// What this command has made, until all tokens are known to fit: an error before takes it back, so
// that the corrected command finds nothing in its way.
struct Begun {
  bool device = false;
  bool arbiter = false;
  Leftovers leftovers;
};

void TakeBack(Context& context, const std::string& name, Begun& begun) {
  const std::string& ns = context.ns();
  // As well as it can be; the error that led here is what the user sees.
  if (begun.arbiter || begun.device) {
    const auto resources = context.OpenResources();
    if (!resources.ok()) return;
    if (begun.arbiter)
      (void)(*resources)->Delete(cluster::Kind::kLease, ns, cluster::ArbiterName(name), {});
    if (begun.device && !(*resources)->Delete(cluster::Kind::kHsmDevice, ns, name, {}).ok())
      return;  // a device that stays needs its tokens
  }
  begun.leftovers.TakeAway();
}

void NoteFolder(const fs::path& folder, Leftovers& leftovers) {
  if (folder.has_relative_path()) NoteFolder(folder.parent_path(), leftovers);
  leftovers.WillMake(folder);
}

// The lock first: two of one folder at once are one after the other.
Result<base::FileLock> LockNew(Context& context, const UnfinishedInit& init,
                               const std::string& name, Leftovers& leftovers) {
  const fs::path lock = DeviceLockPath(init.folder().string(), context.ns(), name);
  for (int tries = 1;; ++tries) {
    NoteFolder(lock.parent_path(), leftovers);
    leftovers.WillMake(lock);
    HSM_RETURN_IF_ERROR(base::MakeFolders(lock.parent_path().string(), 0750));
    auto taken = context.LockDevice("init", context.ns(), name);
    // Whoever had it before may have failed and taken all of the folder away.
    if (!taken.Is(ErrorCode::kNotFound) || tries == kLockTries) return taken;
  }
}

// In the order in which they are made: .cluster goes only after hsmdevices/ went.
Result<void> MakeClusterFolder(Context& context, const fs::path& folder, Leftovers& leftovers) {
  for (const char* file : {".cluster", ".lock"}) leftovers.WillMake(folder / file);
  leftovers.WillMake(folder / "status");
  for (const cluster::Kind kind : cluster::kAllKinds) {
    leftovers.WillMake(folder / cluster::Plural(kind));
    leftovers.WillMake(folder / "status" / cluster::Plural(kind));
  }
  return cluster::DirectoryResourceStore::Init(folder.string(), context.rng());
}

Result<void> MakeTokens(Context& context, const Wanted& wanted, const UnfinishedInit& init,
                        cluster::HSMDevice& device, Leftovers& leftovers) {
  for (const std::string& node : wanted.nodes) {
    if (wanted.uris.contains(node)) continue;
    const fs::path token = init.TokenFolder(node);
    NoteFolder(token.parent_path(), leftovers);
    leftovers.WillFill(token);
    HSM_TRY(device.spec.mirroring->endpoints[node],
            agent::MakeLocalToken(context.program(), token.string(), node.substr(0, 32),
                                  context.clock(), context.rng())
                .Within(node));
  }
  return {};
}

// A blank Primary is right when everything begins. Later it is a failed member, and what the others
// hold must not be taken for deleted (protocol.md, 2 and I8).
Result<void> MayBeginBlank(manager::Pool& pool) {
  const bool began = pool.epoch().counter > 1 || pool.device().status.epoch_floor > 1;
  for (const std::string& node : pool.nodes()) {
    if (node == pool.holder()) continue;
    const auto status = pool.At(node).Status(false);
    const bool holds = status.ok() && status->standing == store::Standing::kMember &&
                       (status->lsn > 0 || status->legacy > 0);
    const bool unknown = !status.ok() || status->standing == store::Standing::kUnknown;
    if (!began && !holds && !unknown) continue;
    return Error(ErrorCode::kReadOnly,
                 fmt::format("{} is the Primary and its token is blank, while {} {}; run kubectl "
                             "hsm failover, then reinit {}",
                             pool.holder(), node, holds ? "holds secrets" : "may hold what it held",
                             pool.holder()));
  }
  return {};
}

// What a token says of itself. The host's lock is by the same, so two members that agree in it
// would wait for each other.
std::string SelfOf(const token::Identity& identity) {
  return fmt::format("{}, {}, serial {}", base::Printable(identity.manufacturer),
                     base::Printable(identity.model), base::Printable(identity.serial));
}

// Of a process that ends with it, so that another node's may have the token, if it is the same.
Result<mirror::MemberStatus> AskAlone(manager::Pool& pool, const std::string& node) {
  const auto member =
      pool.world().make_member(node, pool.device().spec.mirroring->endpoints.at(node), pool.uid(),
                               manager::MemberUid(pool.uid(), node));
  return member->Status(true);
}

// Whether every token can be a member, before the first is changed. The ones to be initialised.
Result<std::vector<std::string>> Blanks(manager::Pool& pool) {
  // A blank token that counts for what was acknowledged would be taken for "nothing was".
  if (pool.holder().empty())
    return Error(ErrorCode::kReadOnly,
                 "a promotion is unfinished; finish it first with promote or failover");
  const std::set<std::string> sync_set = pool.LastTerm().sync_set;
  std::vector<std::string> blank;
  std::map<std::string, std::string> tokens;  // what it says of itself, and its node
  for (const std::string& node : pool.nodes()) {
    HSM_TRY(const mirror::MemberStatus status, AskAlone(pool, node).Within(node));
    for (const mirror::ProbeStep& step : status.probe) {
      const bool only_blank = step.name == "canary" && status.standing != store::Standing::kUnknown;
      if (step.outcome == mirror::ProbeStep::Outcome::kFailed && !only_blank)
        return Error(ErrorCode::kUnavailable,
                     fmt::format("{}: {}: {}", node, step.name, step.message));
    }
    const auto [other, is_new] = tokens.emplace(SelfOf(status.identity), node);
    if (!is_new)
      return OneForTwo(other->second, node, ErrorCode::kReadOnly, "both say " + other->first);
    if (status.standing == store::Standing::kMember && pool.OnRecord(node)) continue;
    if (status.standing == store::Standing::kMember)
      return Error(ErrorCode::kReadOnly,
                   fmt::format("{} was a member and is not on record any more: what it holds may "
                               "have been deleted since; run kubectl hsm reinit --node {}",
                               node, node));
    if (status.standing != store::Standing::kBlank)
      return Error(ErrorCode::kReadOnly, fmt::format("{}: {}", node, status.standing_reason));
    if (sync_set.contains(pool.UidTextOf(node)))
      return Error(ErrorCode::kReadOnly,
                   fmt::format("{} is in the sync set and its token is blank: it was replaced or "
                               "initialised; run kubectl hsm reinit --node {}",
                               node, node));
    blank.push_back(node);
  }
  // Last, since it has all of them asked at once, and two of one token would wait for each other.
  HSM_RETURN_IF_ERROR(manager::CheckEpoch(pool, pool.Observe(false)));
  return blank;
}

// Blank tokens become members; those that are members already stay as they are.
Result<void> Enrol(Context& context, manager::Pool& pool, const std::vector<std::string>& blank) {
  for (const std::string& node : blank) {
    HSM_RETURN_IF_ERROR(pool.Applicant(node).Initialize(pool.term(), false).Within(node));
    HSM_RETURN_IF_ERROR(pool.Admit(node));
    HSM_TRY(const mirror::MemberStatus status, pool.At(node).Status(false).Within(node));
    Prose(context) << fmt::format("{}: token {} ({}) is a member\n", node, status.identity.serial,
                                  status.profile);
  }
  return {};
}

// From the first token that is changed on, "failed, state unchanged" would not be true.
Error Unfinished(const Error& error) {
  return {ErrorCode::kInDoubt,
          fmt::format("the tokens may not all be members yet: {}; run the same kubectl hsm init "
                      "again",
                      error.message())};
}

Result<void> MakeNew(Context& context, const Wanted& wanted, const UnfinishedInit& init,
                     Begun& begun) {
  HSM_RETURN_IF_ERROR(MakeClusterFolder(context, init.folder(), begun.leftovers));
  NoteFolder(init.StateFolder().parent_path(), begun.leftovers);
  begun.leftovers.WillFill(init.StateFolder());
  HSM_RETURN_IF_ERROR(base::MakeFolders(init.StateFolder().string(), 0750));
  HSM_RETURN_IF_ERROR(init.Begin());
  cluster::HSMDevice fresh = wanted.device;
  HSM_RETURN_IF_ERROR(MakeTokens(context, wanted, init, fresh, begun.leftovers));
  HSM_TRY(const auto resources, context.OpenResources());
  const auto created = cluster::CreateNew(*resources, fresh);
  begun.device = created.ok() || created.Is(ErrorCode::kInDoubt);
  if (!created.ok()) return created.error();
  return {};
}

// A cluster all of whose tokens can be members, and those that are to be made so.
struct Ready {
  std::unique_ptr<LocalCluster> cluster;
  std::vector<std::string> blank;
};

// `to_make`: nullptr where the device is there.
Result<Ready> Prepare(Context& context, const Result<Wanted>* to_make, const UnfinishedInit& init,
                      const std::string& name, const base::FileLock& lock, Begun& begun) {
  if (to_make != nullptr && !to_make->ok()) return to_make->error();
  if (to_make != nullptr) HSM_RETURN_IF_ERROR(MakeNew(context, **to_make, init, begun));
  {
    HSM_TRY(const auto resources, context.OpenResources());
    HSM_TRY(const auto loaded, cluster::Load<cluster::HSMDevice>(*resources, context.ns(), name));
    manager::World world{*resources, context.clock(), context.rng(), context.executor(), nullptr};
    HSM_TRY(const std::optional<store::Uid> known, KnownPool(context, loaded));
    const auto created = manager::CreateArbiterFor(world, loaded, known);
    if (!created.ok() && !created.Is(ErrorCode::kConflict)) return created.error();
    begun.arbiter = created.ok();
  }
  Ready ready;
  HSM_TRY(ready.cluster, context.OpenCluster("init", name, &lock));
  manager::Pool& pool = ready.cluster->pool();
  HSM_TRY(ready.blank, Blanks(pool));
  if (std::ranges::find(ready.blank, pool.holder()) != ready.blank.end())
    HSM_RETURN_IF_ERROR(MayBeginBlank(pool));
  return ready;
}

// The device as it is now; nullopt: there is none.
Result<std::optional<cluster::HSMDevice>> Existing(Context& context, const std::string& name) {
  auto existing = cluster::DirectoryResourceStore::Open(context.globals().local, context.clock(),
                                                        context.rng());
  auto device = existing.ok() ? cluster::Load<cluster::HSMDevice>(**existing, context.ns(), name)
                              : Result<cluster::HSMDevice>(existing.error());
  if (device.ok()) return std::optional(*std::move(device));
  if (device.Is(ErrorCode::kNotFound)) return std::optional<cluster::HSMDevice>();
  return device.error();
}

// Whether a device that is there may be gone on with.
Result<void> MayFinish(const InitWords& words, const Result<Wanted>& wanted,
                       const UnfinishedInit& init, const cluster::HSMDevice& device) {
  if (words.nodes.empty() && words.members.empty()) return {};
  const std::string& name = device.metadata.name;
  if (!init.Begun())
    return Error(ErrorCode::kConflict,
                 fmt::format("device {} is there already; edit its YAML to change its nodes, then "
                             "run init without --nodes",
                             name));
  if (wanted.ok() && Made(*wanted, init, device)) return {};
  return Error(ErrorCode::kConflict,
               fmt::format("device {} is there already, with other nodes, and its init is not "
                           "finished; run init without --nodes and --member to finish it",
                           name));
}

Result<void> Finish(Context& context, const Ready& ready, const UnfinishedInit& init) {
  manager::Pool& pool = ready.cluster->pool();
  if (auto enrolled = Enrol(context, pool, ready.blank); !enrolled.ok())
    return Unfinished(enrolled.error());
  const auto report = manager::Sync(pool, {}, nullptr);
  if (!report.ok()) return Unfinished(report.error());
  init.End(pool.nodes());
  Prose(context) << fmt::format(
      "{} tokens enrolled; Primary {}, {} mirrors in sync\nnext: {} put app/db --from-file "
      "password=FILE\n",
      ready.blank.size(), report->primary, pool.arbiter().sync_set.size(), context.CommandPrefix());
  // -o was found right before anything was begun.
  const cluster::HSMDevice device =
      manager::Look(pool, pool.Observe(false), context.clock().Wall());
  (void)Print(context, device.ToJson(), [](bool) {});
  return {};
}

Result<void> Go(const InitWords& words, Context& context) {
  if (context.globals().local.empty())
    return Error(ErrorCode::kInvalid, "say where the cluster folder is to be: --local DIR");
  const std::string name =
      context.globals().device.empty() ? std::string(kDefaultDevice) : context.globals().device;
  HSM_RETURN_IF_ERROR(cluster::CheckName(name).Within("--device"));
  HSM_RETURN_IF_ERROR(cluster::CheckNamespace(context.ns()).Within("--namespace"));
  const UnfinishedInit init(context.globals().local, context.ns(), name);
  const auto wanted = Understand(context, words, init, name);
  HSM_TRY(auto existing, Existing(context, name));
  if (!existing && !wanted.ok()) return wanted.error();
  Begun begun;
  HSM_TRY(const base::FileLock lock, LockNew(context, init, name, begun.leftovers));
  HSM_TRY(existing, Existing(context, name));
  if (existing) {
    begun = {};  // it was there, or who was faster has made it
    HSM_RETURN_IF_ERROR(MayFinish(words, wanted, init, *existing));
  }
  const auto ready = Prepare(context, existing ? nullptr : &wanted, init, name, lock, begun);
  if (!ready.ok()) {
    TakeBack(context, name, begun);
    return ready.error();
  }
  if (!existing) {
    Prose(context) << fmt::format("made HSMDevice {}/{} in {}\n", context.ns(), name,
                                  base::Printable(context.globals().local));
  }
  return Finish(context, *ready, init);
}

}  // namespace

Verb InitVerb() {
  return {
      "init",
      "Make a cluster folder with SoftHSM tokens, or of tokens that exist",
      {},
      {"kubectl hsm init --local DIR --nodes worker-1,worker-2,worker-3 --standby worker-3",
       "kubectl hsm init --local DIR --member "
       "'worker-1=pkcs11:serial=…?module-path=…&pin-source=file:…'"},
      true,
      [](Words& words) -> Runner {
        auto options = std::make_shared<InitWords>();
        words.Option("nodes", "A,B,C", "node names, the preferred Primary first", options->nodes);
        words.List("standby", "NODE", "members that serve no reads and are first in line",
                   options->standby);
        words.List("member", "NODE=URI",
                   "a token that exists, by its pkcs11: URI (RFC 7512), or its agent's https: URL",
                   options->members);
        return [options](Context& context) {
          const auto done = Go(*options, context);
          return done.ok() ? kDone : context.Fail(done.error());
        };
      }};
}

}  // namespace hsmops::cli
