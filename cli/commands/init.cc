#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "cli/commands/verbs.h"
#include "cli/context.h"
#include "cli/exit_code.h"
#include "libhsmops/agent/local_token.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/sync.h"
#include "libhsmops/token/uri.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::string_view kDefaultDevice = "local";

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
// own.
struct Asked {
  std::vector<std::string> nodes;
  std::map<std::string, std::string> uris;
};

Result<Asked> Understand(const InitWords& words) {
  Asked asked;
  if (!words.nodes.empty()) asked.nodes = Split(words.nodes);
  for (const std::string& member : words.members) {
    const std::size_t equals = member.find('=');
    if (equals == std::string::npos)
      return Error(ErrorCode::kInvalid, "--member wants NODE=pkcs11:…");
    const std::string node = member.substr(0, equals);
    HSM_TRY(const token::Uri uri, token::Uri::Parse(std::string_view(member).substr(equals + 1))
                                      .Within("--member " + base::Printable(node)));
    asked.uris[node] = uri.ToString();
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
  return asked;
}

Result<cluster::HSMDevice> MakeDevice(Context& context, const Asked& asked, const InitWords& words,
                                      const std::string& name) {
  cluster::HSMDevice device;
  device.metadata.name = name;
  device.metadata.ns = context.globals().ns;
  device.spec.mirroring.emplace();
  device.spec.mirroring->primary_node = asked.nodes.front();
  for (const std::string& list : words.standby) {
    for (const std::string& node : Split(list))
      device.spec.mirroring->standby_nodes.push_back(node);
  }
  for (std::size_t i = 1; i < asked.nodes.size(); ++i)
    device.spec.mirroring->target_nodes.push_back(asked.nodes[i]);
  if (asked.nodes.size() == 1) device.spec.mirroring->policy = cluster::MirroringPolicy::kNone;
  for (const std::string& node : asked.nodes)
    device.spec.mirroring->endpoints[node] = "pkcs11:token=x?module-path=/x";
  HSM_RETURN_IF_ERROR(device.Validate());  // before any token is made
  return device;
}

Result<void> MakeTokens(Context& context, const Asked& asked, cluster::HSMDevice& device) {
  const std::string folder =
      std::filesystem::absolute(context.globals().local).lexically_normal().string();
  for (const std::string& node : asked.nodes) {
    const auto given = asked.uris.find(node);
    if (given != asked.uris.end()) {
      device.spec.mirroring->endpoints[node] = given->second;
      continue;
    }
    HSM_TRY(device.spec.mirroring->endpoints[node],
            agent::MakeLocalToken(context.program(),
                                  fmt::format("{}/tokens/{}.{}/{}", folder, device.metadata.ns,
                                              device.metadata.name, node),
                                  node.substr(0, 32), context.clock(), context.rng())
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

// Whether every token can be a member, before the first is changed. The ones to be initialised.
Result<std::vector<std::string>> Blanks(manager::Pool& pool) {
  std::vector<std::string> blank;
  for (const std::string& node : pool.nodes()) {
    HSM_TRY(const mirror::MemberStatus status, pool.Applicant(node).Status(true).Within(node));
    for (const mirror::ProbeStep& step : status.probe) {
      const bool only_blank = step.name == "canary" && status.standing != store::Standing::kUnknown;
      if (step.outcome == mirror::ProbeStep::Outcome::kFailed && !only_blank)
        return Error(ErrorCode::kUnavailable,
                     fmt::format("{}: {}: {}", node, step.name, step.message));
    }
    if (status.standing == store::Standing::kMember && pool.OnRecord(node)) continue;
    if (status.standing == store::Standing::kMember)
      return Error(ErrorCode::kReadOnly,
                   fmt::format("{} was a member and is not on record any more: what it holds may "
                               "have been deleted since; run kubectl hsm reinit --node {}",
                               node, node));
    if (status.standing != store::Standing::kBlank)
      return Error(ErrorCode::kReadOnly, fmt::format("{}: {}", node, status.standing_reason));
    blank.push_back(node);
  }
  return blank;
}

// Blank tokens become members; those that are members already stay as they are.
Result<void> Enrol(Context& context, manager::Pool& pool, const std::vector<std::string>& blank) {
  for (const std::string& node : blank) {
    HSM_RETURN_IF_ERROR(pool.Applicant(node).Initialize(pool.epoch(), false).Within(node));
    HSM_RETURN_IF_ERROR(pool.Admit(node));
    HSM_TRY(const mirror::MemberStatus status, pool.At(node).Status(false).Within(node));
    context.out() << fmt::format("{}: token {} ({}) is a member\n", node, status.identity.serial,
                                 status.profile);
  }
  return {};
}

// From the first token that is changed on, "failed, state unchanged" would not be true.
Error Unfinished(const Error& error) {
  return {ErrorCode::kInDoubt,
          fmt::format("the tokens may not all be members yet: {}; run kubectl hsm init again, "
                      "without --nodes and --member",
                      error.message())};
}

// What this command has put into the folder, until all tokens are known to fit: an error before
// takes it out again, so that the corrected command finds nothing in its way.
struct Begun {
  bool device = false;
  bool arbiter = false;
};

void TakeBack(Context& context, const std::string& name, const Begun& begun) {
  const auto resources = context.OpenResources();
  if (!resources.ok()) return;
  const std::string& ns = context.globals().ns;
  // As well as it can be; the error that led here is what the user sees.
  if (begun.arbiter)
    (void)(*resources)->Delete(cluster::Kind::kLease, ns, cluster::ArbiterName(name), {});
  if (begun.device) (void)(*resources)->Delete(cluster::Kind::kHsmDevice, ns, name, {});
}

Result<void> Go(const InitWords& words, Context& context) {
  if (context.globals().local.empty())
    return Error(ErrorCode::kInvalid, "say where the cluster folder is to be: --local DIR");
  const std::string& dir = context.globals().local;
  const std::string name =
      context.globals().device.empty() ? std::string(kDefaultDevice) : context.globals().device;
  HSM_RETURN_IF_ERROR(cluster::CheckName(name).Within("--device"));
  HSM_RETURN_IF_ERROR(cluster::CheckNamespace(context.globals().ns).Within("--namespace"));
  Begun begun;
  auto existing = cluster::DirectoryResourceStore::Open(dir, context.clock(), context.rng());
  auto device = existing.ok()
                    ? cluster::Load<cluster::HSMDevice>(**existing, context.globals().ns, name)
                    : Result<cluster::HSMDevice>(existing.error());
  if (device.ok() && !(words.nodes.empty() && words.members.empty())) {
    return Error(ErrorCode::kConflict,
                 fmt::format("device {} is there already; edit its YAML to change its nodes, then "
                             "run init without --nodes",
                             name));
  }
  if (!device.ok() && !device.Is(ErrorCode::kNotFound)) return device.error();
  if (!device.ok()) {
    HSM_TRY(const Asked asked, Understand(words));
    HSM_TRY(cluster::HSMDevice fresh, MakeDevice(context, asked, words, name));
    HSM_RETURN_IF_ERROR(
        base::MakeFolders(std::filesystem::absolute(dir).lexically_normal().string(), 0750));
    HSM_RETURN_IF_ERROR(cluster::DirectoryResourceStore::Init(dir, context.rng()));
    HSM_RETURN_IF_ERROR(MakeTokens(context, asked, fresh));
    HSM_TRY(const auto resources, context.OpenResources());
    HSM_TRY(const auto created, cluster::CreateNew(*resources, fresh));
    begun.device = true;
  }
  {
    HSM_TRY(const auto resources, context.OpenResources());
    HSM_TRY(const auto loaded,
            cluster::Load<cluster::HSMDevice>(*resources, context.globals().ns, name));
    manager::World world{*resources, context.clock(), context.rng(), context.executor(), nullptr};
    const auto created = manager::CreateArbiterFor(world, loaded);
    if (!created.ok() && !created.Is(ErrorCode::kConflict)) return created;
    begun.arbiter = created.ok();
  }
  HSM_TRY(const auto cluster, context.OpenCluster("init", name));
  auto blank = Blanks(cluster->pool());
  if (!blank.ok()) {
    if (words.nodes.empty() || !begun.device) TakeBack(context, name, begun);
    return blank.error();
  }
  if (begun.device) {
    context.out() << fmt::format("made HSMDevice {}/{} in {}\n", context.globals().ns, name,
                                 base::Printable(dir));
  }
  if (std::ranges::find(*blank, cluster->pool().holder()) != blank->end())
    HSM_RETURN_IF_ERROR(MayBeginBlank(cluster->pool()));
  if (auto enrolled = Enrol(context, cluster->pool(), *blank); !enrolled.ok())
    return Unfinished(enrolled.error());
  const auto report = manager::Sync(cluster->pool(), {}, nullptr);
  if (!report.ok()) return Unfinished(report.error());
  context.out() << fmt::format(
      "{} tokens enrolled; Primary {}, {} mirrors in sync\nnext: {} put app/db --from-file "
      "password=FILE\n",
      blank->size(), report->primary, cluster->pool().arbiter().sync_set.size(),
      context.CommandPrefix());
  return {};
}

}  // namespace

Verb InitVerb() {
  return {"init",
          "Make a cluster folder with SoftHSM tokens, or of tokens that exist",
          {},
          {"kubectl hsm init --local DIR --nodes worker-1,worker-2,worker-3 --standby worker-3",
           "kubectl hsm init --local DIR --member "
           "'worker-1=pkcs11:serial=…?module-path=…&pin-source=file:…'"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<InitWords>();
            words.Option("nodes", "A,B,C", "node names, the preferred Primary first",
                         options->nodes);
            words.List("standby", "NODE", "members that serve no reads and are first in line",
                       options->standby);
            words.List("member", "NODE=URI", "a token that exists, by its pkcs11: URI (RFC 7512)",
                       options->members);
            return [options](Context& context) {
              const auto done = Go(*options, context);
              return done.ok() ? kDone : context.Fail(done.error());
            };
          }};
}

}  // namespace hsmops::cli
