#include "cli/cluster_names.h"

#include "cli/commands/live_device.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/kube/json_fields.h"

namespace hsmops::cli {
namespace {

using Names = ClusterNames::Names;

// A namespace's metadata alone.
constexpr const char* kMetadataList =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
constexpr std::size_t kMostNames = 5000;

template <typename Map>
Names KeysOf(const Map& map) {
  Names names;
  for (const auto& [name, value] : map) names.insert(name);
  return names;
}

kube::Kubeconfig KubeconfigOf(const Globals& globals) {
  auto loaded =
      kube::Kubeconfig::Load(globals.kubectl.overrides.kubeconfig, kube::ProcessEnvironment());
  return loaded.ok() ? *std::move(loaded) : kube::Kubeconfig{};
}

}  // namespace

ClusterNames::ClusterNames(Context& context, std::string device)
    : context_(context), device_(device.empty() ? context.globals().device : std::move(device)) {}

template <typename T>
std::vector<T> ClusterNames::All() {
  const auto resources = context_.OpenResources();
  if (!resources.ok()) return {};
  auto all = cluster::LoadAll<T>(**resources, context_.ns());
  return all.ok() ? std::move(all->items) : std::vector<T>();
}

Names ClusterNames::Devices() {
  Names names;
  for (const auto& device : All<cluster::HSMDevice>()) names.insert(device.metadata.name);
  return names;
}

Names ClusterNames::Nodes() {
  Names names;
  for (const auto& device : All<cluster::HSMDevice>()) {
    if (!device_.empty() && device.metadata.name != device_) continue;
    for (const std::string& node : device.MemberNodes()) names.insert(node);
  }
  return names;
}

// A folder has no list of what is on its tokens: names that are asked for stand for them, and no
// token is opened.
Names ClusterNames::Secrets() {
  Names names;
  if (!context_.OnKubernetes()) {
    for (const auto& secret : All<cluster::HSMSecret>()) names.insert(secret.metadata.name);
    return names;
  }
  auto api = OpenAggregated(context_, context_.ns());
  if (!api.ok()) return names;
  const auto listed = api->List(device_);
  if (!listed.ok()) return names;
  for (const auto& secret : *listed) {
    const std::string name = kube::TextIn(secret, "/spec/name");
    if (!name.empty()) names.insert(name);
  }
  return names;
}

Names ClusterNames::Operations() {
  Names names;
  for (const auto& operation : All<cluster::HSMOperation>()) names.insert(operation.metadata.name);
  return names;
}

Names ClusterNames::Namespaces() {
  Names names;
  const auto api = context_.OnKubernetes() ? context_.OpenApi() : nullptr;
  if (!api.ok() || *api == nullptr) return names;
  kube::RestRequest request;
  request.path = "/api/v1/namespaces?limit=" + std::to_string(kMostNames);
  request.accept = kMetadataList;
  request.deadline = context_.clock().Now() + (*api)->timeout();
  const auto answer = (*api)->client().Call(std::move(request));
  if (!answer.ok() || !kube::IsSuccess(answer->status)) return names;
  const auto list = kube::ParseBody(answer->body);
  for (const auto& item : kube::ItemsIn(list, "/items"))
    names.insert(kube::TextIn(item, "/metadata/name"));
  return names;
}

Names ClusterNames::Contexts() const { return KeysOf(KubeconfigOf(context_.globals()).contexts); }
Names ClusterNames::Clusters() const { return KeysOf(KubeconfigOf(context_.globals()).clusters); }
Names ClusterNames::Users() const { return KeysOf(KubeconfigOf(context_.globals()).users); }

}  // namespace hsmops::cli
