#include "libhsmops/manager/aggregated_api.h"

#include <fmt/format.h>

#include <bitset>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/label_selector.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/kube/secret_data.h"
#include "libhsmops/manager/delivery_plan.h"
#include "libhsmops/manager/election.h"
#include "libhsmops/manager/live_reply.h"
#include "libhsmops/manager/live_write.h"
#include "libhsmops/manager/look.h"
#include "libhsmops/manager/mirrored_secret.h"
#include "libhsmops/manager/set_aside.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using net::Reply;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxBody = std::size_t{2} << 20;  // base64 of kMaxSecretBytes, and some

// The verb of RBAC for a method; "" for one that this API does not have there.
std::string VerbOf(const LivePath& path, const std::string& method) {
  if (!path.At("watch").empty() && path.At("watch") != "false") return {};
  if (method == "GET") return path.name.empty() ? "list" : "get";
  if (path.subresource != "value") return {};
  if (method == "PUT") return "update";
  if (method == "DELETE") return "delete";
  return {};
}

std::string HeaderOf(const net::Received& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string() : found->second;
}

Result<void> CheckListOptions(const LivePath& path) {
  const std::string fields = path.At("fieldSelector");
  if (fields.empty()) return {};
  return Error(ErrorCode::kInvalid,
               fmt::format("fieldSelector \"{}\" is not served here; labelSelector is, with {}",
                           base::Printable(fields), kDeviceLabel));
}

// Members that could not be asked make "everybody has it" unknowable, and are told.
void Warn(const CoverageReport& report, const std::string& device,
          std::vector<std::string>& warnings) {
  for (const auto& [node, error] : report.unknown)
    warnings.push_back(fmt::format("{}: {} cannot be asked: {}", device, node, error.message()));
  for (const auto& [node, aside] : report.quarantine)
    warnings.push_back(
        fmt::format("{}: {} has {} versions in quarantine; see kubectl hsm "
                    "divergence list",
                    device, node, aside.size()));
}

Reply WithWarnings(Reply reply, const std::vector<std::string>& warnings) {
  if (!warnings.empty()) reply.headers["Warning"] = WarningHeader(warnings);
  return reply;
}

}  // namespace

std::vector<net::LaneLimits> AggregatedLanes() { return {{"reads", 16, 256}, {"writes", 32, 256}}; }

std::variant<net::Route, Reply> AggregatedApi::Find(const net::Received& head) {
  auto path = ParseLivePath(head.target);
  if (path.Is(ErrorCode::kNotFound)) return StatusReply(404, "NotFound", path.error().message());
  if (!path.ok()) return StatusReply(400, "BadRequest", path.error().message());
  if (path->what != LivePath::What::kObjects) {
    if (head.method == "GET") return DiscoveryReply(path->what);
    return StatusReply(405, "MethodNotAllowed", "discovery is read with GET");
  }
  const std::string verb = VerbOf(*path, head.method);
  if (verb.empty()) {
    return StatusReply(
        405, "MethodNotAllowed",
        fmt::format("{} of {}{}{} is not served", base::Printable(head.method), path->resource,
                    path->subresource.empty() ? "" : "/", path->subresource));
  }
  const bool writes = verb == "update" || verb == "delete";
  net::Route route;
  route.name = fmt::format("{}{}{}", path->resource, path->subresource.empty() ? "" : "/",
                           path->subresource);
  route.max_body = writes ? kMaxBody : 0;
  route.lane = writes ? 1 : 0;
  route.handle = [this, path = *std::move(path), verb](net::Received&& request) {
    return Answer(path, verb, std::move(request));
  };
  return route;
}

Reply AggregatedApi::Answer(const LivePath& path, const std::string& verb,
                            net::Received&& request) {
  if (const auto allowed = Allow(path, verb, request); !allowed.ok()) {
    if (allowed.error().code() == ErrorCode::kInternal)
      return StatusReply(401, "Unauthorized", allowed.error().message());
    return StatusReply(allowed.error(), path);
  }
  const bool table = WantsTable(HeaderOf(request, "accept"));
  // What another namespace has nobody here knows, nor will in a second, when a client that is told
  // to would ask again.
  if (!path.ns.empty() && path.ns != ns_) {
    Reply elsewhere = StatusReply(
        Error(
            ErrorCode::kUnavailable,
            fmt::format("the managers that serve this API look after the devices of namespace {}, "
                        "and not of {}",
                        ns_, path.ns)),
        path);
    elsewhere.retry_after.reset();
    return elsewhere;
  }
  auto reply = Do(path, verb, table, std::move(request));
  return reply.ok() ? *std::move(reply) : StatusReply(reply.error(), path);
}

// kInternal: nobody knows for whom it is.
Result<void> AggregatedApi::Allow(const LivePath& path, const std::string& verb,
                                  const net::Received& request) {
  const auto header = header_();
  if (request.identity.role != net::Role::kFrontProxy || !header)
    return Error(ErrorCode::kInternal, "the request came through no front proxy");
  const auto user = kube::UserOf(*header, request.fields);
  if (!user.ok()) return Error(ErrorCode::kInternal, user.error().message());
  return access_.Check(*user, {verb, std::string(kLiveGroup), std::string(kLiveVersion),
                               path.resource, path.subresource, path.ns, path.name});
}

Result<Reply> AggregatedApi::Do(const LivePath& path, const std::string& verb, bool table,
                                net::Received&& request) {
  if (path.subresource == "diff") return Diff(path);
  if (path.subresource == "divergence") return Divergence(path);
  if (path.resource == "devicehealths") return Healths(path, table);
  if (path.subresource.empty()) return Secrets(path, table);
  if (verb == "get") return Value(path);
  return Write(path, verb == "delete", request);
}

Result<std::vector<std::string>> AggregatedApi::DevicesOf(const LivePath& path) {
  HSM_RETURN_IF_ERROR(CheckListOptions(path));
  HSM_TRY(const auto selector, cluster::LabelSelector::Parse(path.At("labelSelector")));
  HSM_TRY(const auto listed, world_.resources.List(cluster::Kind::kHsmDevice, ns_));
  std::vector<std::string> names;
  for (const cluster::Object& device : listed.items) {
    const std::string& name = device.key().name;
    if (selector.Matches({{std::string(kDeviceLabel), name}})) names.push_back(name);
  }
  return names;
}

Result<AggregatedApi::Some> AggregatedApi::OfEach(
    const std::vector<std::string>& devices,
    const std::function<Result<void>(const std::string& device, Some& some)>& add) {
  Some some;
  std::optional<Error> failed;
  std::size_t done = 0;
  for (const std::string& device : devices) {
    const auto added = add(device, some);
    if (added.ok()) {
      ++done;
      continue;
    }
    // Of a device without members it is not known what it holds; that is no "there is no such
    // list".
    const bool absent = added.Is(ErrorCode::kNotFound);
    failed = Error(absent ? ErrorCode::kUnavailable : added.error().code(),
                   fmt::format("{}: {}", device, added.error().message()));
    some.warnings.push_back(failed->message());
  }
  if (failed && done == 0) return *std::move(failed);
  return some;
}

Result<void> AggregatedApi::AddSecrets(const std::string& device, const std::string& only,
                                       Some& some) {
  Fronts::Taken front = fronts_.Take(ns_, device);
  HSM_TRY(Pool * pool, front->pool());
  const CoverageReport report = Cover(*pool);
  if (report.unknown.size() == pool->nodes().size())
    return Error(ErrorCode::kUnavailable, fmt::format("no member can be asked: {}",
                                                      report.unknown.begin()->second.message()));
  Warn(report, device, some.warnings);
  const std::size_t before = some.items.size();
  for (const SecretCoverage& secret : report.secrets) {
    if (only.empty() || secret.name == only)
      some.items.push_back(MirroredSecretOf(pool->device(), secret));
  }
  if (only.empty() || some.items.size() > before) return {};
  // The Primary alone says that there is none.
  return report.primary_known
             ? Error(ErrorCode::kNotFound, fmt::format("secret {} not found", only))
             : Error(
                   ErrorCode::kUnavailable,
                   fmt::format("whether {} exists is unknown: the Primary cannot be asked", only));
}

Result<Reply> AggregatedApi::Secrets(const LivePath& path, bool table) {
  Some some;
  if (path.name.empty()) {
    HSM_TRY(const auto devices, DevicesOf(path));
    HSM_TRY(some, OfEach(devices, [this](const std::string& device, Some& all) {
              return AddSecrets(device, "", all);
            }));
  } else {
    HSM_TRY(const DeviceAndSecret one, ParseMirroredName(path.name));
    HSM_RETURN_IF_ERROR(AddSecrets(one.device, one.secret.text(), some));
  }
  return WithWarnings(ObjectsReply(path, table, std::move(some.items)), some.warnings);
}

Result<void> AggregatedApi::AddHealth(const std::string& device, Some& some) {
  Fronts::Taken front = fronts_.Take(ns_, device);
  HSM_TRY(Pool * pool, front->pool());
  failover::ClusterState state = pool->ObserveAmidWrites();
  HSM_TRY(state.managers, LookForManagers(world_.resources, world_.clock, ns_));
  const base::WallTime now = world_.clock.Wall();
  json item = Look(*pool, state, now).ToJson();
  item["apiVersion"] = fmt::format("{}/{}", kLiveGroup, kLiveVersion);
  item["kind"] = "DeviceHealth";
  item["status"]["checks"] = json::array();
  const std::string no_grant = state.managers == failover::Managers::kLead
                                   ? "it has no grant; managers renew it while they reach it and "
                                     "the record of who may write"
                                   : "its grant has run out and no manager leads";
  for (Check check :
       {CheckPromotion(*pool, state, true, now), CheckPromotion(*pool, state, false, now),
        CheckWrite(*pool, state, no_grant)}) {
    ObeyEpoch(*pool, state, check);
    item["status"]["checks"].push_back(JsonOf(check));
  }
  some.items.push_back(std::move(item));
  return {};
}

Result<Reply> AggregatedApi::Healths(const LivePath& path, bool table) {
  Some some;
  if (path.name.empty()) {
    HSM_TRY(const auto devices, DevicesOf(path));
    HSM_TRY(some, OfEach(devices, [this](const std::string& device, Some& all) {
              return AddHealth(device, all);
            }));
  } else {
    HSM_RETURN_IF_ERROR(AddHealth(path.name, some));
  }
  return WithWarnings(ObjectsReply(path, table, std::move(some.items)), some.warnings);
}

Result<Reply> AggregatedApi::Diff(const LivePath& path) {
  const std::string left = path.At("left");
  const std::string right = path.At("right");
  Fronts::Taken front = fronts_.Take(ns_, path.name);
  HSM_TRY(Pool * pool, front->pool());
  for (const std::string& node : {left, right}) {
    if (!pool->Has(node)) return pool->device().NoSuchMember(node);
  }
  const auto all = std::bitset<store::kBuckets>().set();
  HSM_TRY(const store::Inventory of_left, pool->At(left).ReadInventory(all).Within(left));
  HSM_TRY(const store::Inventory of_right, pool->At(right).ReadInventory(all).Within(right));
  return JsonReply(200, DiffOf(left, of_left, right, of_right));
}

Result<Reply> AggregatedApi::Divergence(const LivePath& path) {
  Fronts::Taken front = fronts_.Take(ns_, path.name);
  HSM_TRY(Pool * pool, front->pool());
  HSM_TRY(const SetAsideSearch search,
          FindSetAside(*pool, {path.At("name"), path.At("node"), path.At("version")}));
  return JsonReply(200, ListOf(search));
}

// The one in quarantine on that node.
Result<Served> AggregatedApi::SetAsideValue(Pool& pool, const LivePath& path,
                                            const store::SecretName& name) {
  const auto version = ParseFullVersion(path.At("version"));
  if (!version)
    return Error(ErrorCode::kInvalid, "node goes with version, as devicehealths/divergence has it");
  const std::string node = path.At("node");
  if (!pool.Has(node))
    return Error(ErrorCode::kNotFound,
                 fmt::format("node {} is not a member", base::Printable(node)));
  HSM_TRY(store::Secret secret,
          pool.At(node).ReadQuarantined({store::IdOf(pool.uid(), name), *version}).Within(node));
  return Served{std::move(secret), node, false, false, "it is in quarantine there", true};
}

Result<Reply> AggregatedApi::Value(const LivePath& path) {
  HSM_TRY(const DeviceAndSecret one, ParseMirroredName(path.name));
  Fronts::Taken front = fronts_.Take(ns_, one.device);
  HSM_TRY(Pool * pool, front->Recent());
  Result<Served> read =
      path.At("node").empty() ? front->Get(one.secret) : SetAsideValue(*pool, path, one.secret);
  if (!read.ok()) return read.error();
  const Served served = *std::move(read);
  HSM_RETURN_IF_ERROR(CheckServed(one.secret, served));
  HSM_TRY(pool, front->Recent());
  Reply reply;
  reply.content_type = "application/json";
  reply.body = kube::WithData(MirroredSecretOf(pool->device(), one.secret.text(), served),
                              served.secret->keys);
  return reply;
}

Result<Reply> AggregatedApi::Write(const LivePath& path, bool removes,
                                   const net::Received& request) {
  HSM_TRY(const DeviceAndSecret one, ParseMirroredName(path.name));
  HSM_TRY(LiveWrite asked, ParseLiveWrite(path, one.secret, removes, request.body.view()));
  Fronts::Taken front = fronts_.Take(ns_, one.device);
  HSM_TRY(Pool * pool, front->Recent());
  const cluster::HSMDevice device = pool->device();
  if (!asked.stamp) {
    HSM_TRY(asked.stamp, front->TakeStamp());
  }
  if (asked.dry_run) {
    json document = MirroredSecretOf(device, one.secret.text(), mirror::Acknowledged{});
    document["status"] = {{"stamp", StampText(*asked.stamp)}};
    return JsonReply(200, document);
  }
  if (!asked.has_op_id) asked.write.op_id = world_.rng.Array<16>();
  std::vector<store::Write> writes;
  writes.push_back(std::move(asked.write));
  const store::OpId op_id = writes.front().op_id;
  HSM_TRY(const auto results, front->Put(*asked.stamp, std::move(writes)));
  if (results.size() != 1)
    return Error(ErrorCode::kInDoubt, "the Primary answered for another number of writes");
  HSM_RETURN_IF_ERROR(results.front());
  json document = MirroredSecretOf(device, one.secret.text(), *results.front());
  document["status"]["opId"] = store::OpIdText(op_id);
  if (removes) document["status"]["deleted"] = true;
  return JsonReply(200, document);
}

}  // namespace hsmops::manager
