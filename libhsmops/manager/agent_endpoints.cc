#include "libhsmops/manager/agent_endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/digest.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/cluster/watching_store.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/mirrored_secret.h"

namespace hsmops::manager {

using cluster::Object;
using nlohmann::json;

namespace {

constexpr int kDefaultPort = 9443;

int PortOf(const json& slice) {
  const auto ports = kube::ItemsIn(slice, "/ports");
  for (const json& port : ports) {
    if (kube::TextIn(port, "/name") == "agent") return kube::NumberAt(port, "port");
  }
  const int first = ports.empty() ? 0 : kube::NumberAt(ports.front(), "port");
  return first == 0 ? kDefaultPort : first;
}

std::string NodeOf(const json& endpoint) {
  const std::string node = kube::TextIn(endpoint, "/nodeName");
  return node.empty() ? kube::TextIn(endpoint, "/hostname") : node;
}

std::string UrlOf(const std::string& address, int port) {
  return address.find(':') == std::string::npos ? fmt::format("https://{}:{}", address, port)
                                                : fmt::format("https://[{}]:{}", address, port);
}

// RFC 2606: a name that nobody has.
constexpr const char* kNowhere = ".no-endpoint.invalid";
std::string Nowhere(const std::string& node) { return fmt::format("https://{}{}", node, kNowhere); }

struct Named {
  std::vector<std::string> nodes;
  bool all = false;  // who is not among them is no member
};

// By targetNodes, which say it all; without them also by what the status knows.
Named MembersNamed(const json& device) {
  Named named;
  const auto add = [&](std::string node) {
    if (!node.empty()) named.nodes.push_back(std::move(node));
  };
  add(kube::TextIn(device, "/spec/mirroring/primaryNode"));
  const auto& targets = kube::ItemsIn(device, "/spec/mirroring/targetNodes");
  for (const json& node : targets) add(kube::TextIn(node, ""));
  named.all = !targets.empty();
  if (named.all) return named;
  for (const json& member : kube::ItemsIn(device, "/status/devices"))
    add(kube::TextIn(member, "/nodeName"));
  return named;
}

}  // namespace

bool IsNowhere(const std::string& endpoint) { return endpoint.ends_with(kNowhere); }

std::string WhyNowhere(const std::string& device, const std::string& node) {
  return fmt::format(
      "no EndpointSlice labelled {}: {} has an endpoint on {}, and "
      "spec.mirroring.endpoints names none",
      kDeviceLabel, device, node);
}

std::map<std::string, std::string> EndpointsOf(const std::vector<Object>& slices,
                                               const std::string& device) {
  std::map<std::string, std::string> urls;
  std::map<std::string, bool> ready;
  for (const Object& slice : slices) {
    const json& document = slice.document();
    const json labels = kube::ObjectAt(kube::ObjectAt(document, "metadata"), "labels");
    if (kube::TextAt(labels, std::string(kDeviceLabel).c_str()) != device) continue;
    for (const json& endpoint : kube::ItemsIn(document, "/endpoints")) {
      const auto addresses = kube::ItemsIn(endpoint, "/addresses");
      const std::string node = NodeOf(endpoint);
      const json conditions = kube::ObjectAt(endpoint, "conditions");
      const bool is_ready = !conditions.contains("ready") || conditions["ready"] != false;
      if (node.empty() || addresses.empty() || (urls.contains(node) && (ready[node] || !is_ready)))
        continue;
      urls[node] = UrlOf(kube::TextIn(addresses.front(), ""), PortOf(document));
      ready[node] = is_ready;
    }
  }
  return urls;
}

Object WithEndpoints(const Object& device, const std::map<std::string, std::string>& endpoints,
                     Slices slices) {
  const json mirroring = kube::ObjectAt(kube::ObjectAt(device.document(), "spec"), "mirroring");
  const json named = kube::ObjectAt(mirroring, "endpoints");
  // A device whose YAML says it all is as it says.
  const bool says_all = slices == Slices::kSeen && endpoints.empty() && !named.empty();
  if (mirroring.is_null() || says_all) return device;
  json shown = device.document();
  json& its = shown["spec"]["mirroring"]["endpoints"];
  if (!its.is_object()) its = json::object();
  const Named members = MembersNamed(shown);
  for (const auto& [node, url] : endpoints) {
    if (!members.all || std::ranges::find(members.nodes, node) != members.nodes.end())
      its[node] = url;
  }
  for (const std::string& node : members.nodes) {
    if (!its.contains(node)) its[node] = Nowhere(node);
  }
  if (its == named || (its.empty() && named.is_null())) return device;
  const base::Digest digest = base::Sha256(base::AsBytes(its.dump()));
  shown["metadata"]["resourceVersion"] =
      fmt::format("{}{}{}", device.version(), cluster::WatchingStore::kShownMark,
                  base::Hex(base::ByteView(digest).subspan(0, 8)));
  auto object = Object::From(std::move(shown));
  return object.ok() ? *std::move(object) : device;
}

}  // namespace hsmops::manager
