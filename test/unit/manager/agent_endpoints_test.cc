#include "libhsmops/manager/agent_endpoints.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "libhsmops/cluster/resources.h"

namespace hsmops::manager {
namespace {

using cluster::Object;
using nlohmann::json;

Object Slice(const std::string& device, const json& endpoints, const json& ports) {
  auto object = Object::From(
      {{"apiVersion", "discovery.k8s.io/v1"},
       {"kind", "EndpointSlice"},
       {"metadata",
        {{"name", "s"}, {"namespace", "x"}, {"labels", {{"hsm.j5t.io/device", device}}}}},
       {"endpoints", endpoints},
       {"ports", ports}});
  REQUIRE(object.ok());
  return *std::move(object);
}

Object Device(const json& mirroring, const json& status = json::object()) {
  auto object =
      Object::From({{"apiVersion", "hsm.j5t.io/v1alpha1"},
                    {"kind", "HSMDevice"},
                    {"metadata", {{"name", "d"}, {"namespace", "x"}, {"resourceVersion", "7"}}},
                    {"spec", {{"mirroring", mirroring}}},
                    {"status", status}});
  REQUIRE(object.ok());
  return *std::move(object);
}

json EndpointsIn(const Object& device) {
  return device.document().at("spec").at("mirroring").value("endpoints", json::object());
}

}  // namespace

TEST_CASE("endpoints of a device's agents, by their slices") {
  const json ports =
      json::array({{{"name", "status"}, {"port", 8080}}, {{"name", "agent"}, {"port", 9443}}});
  const std::vector<Object> slices{
      Slice(
          "d",
          json::array(
              {{{"addresses", {"10.0.0.1"}}, {"nodeName", "a"}},
               {{"addresses", {"10.0.0.9"}}, {"nodeName", "b"}, {"conditions", {{"ready", false}}}},
               {{"addresses", {"10.0.0.2"}}, {"nodeName", "b"}},
               {{"addresses", {"fd00::1"}}, {"nodeName", "c"}},
               {{"addresses", {"10.0.0.5"}}}}),
          ports),
      Slice("other", json::array({{{"addresses", {"10.0.1.1"}}, {"nodeName", "a"}}}), ports)};
  const auto urls = EndpointsOf(slices, "d");
  CHECK(urls == std::map<std::string, std::string>{{"a", "https://10.0.0.1:9443"},
                                                   {"b", "https://10.0.0.2:9443"},
                                                   {"c", "https://[fd00::1]:9443"}});
  CHECK(EndpointsOf(slices, "none").empty());
}

TEST_CASE("endpoints fill a device's spec, and a member without one stays a member") {
  const Object device =
      Device({{"primaryNode", "a"}, {"targetNodes", {"b"}}}, {{"devices", {{{"nodeName", "c"}}}}});
  const Object shown = WithEndpoints(device, {{"a", "https://10.0.0.1:9443"}}, Slices::kSeen);
  CHECK(EndpointsIn(shown) ==
        json{{"a", "https://10.0.0.1:9443"}, {"b", "https://b.no-endpoint.invalid"}});
  CHECK(shown.version().starts_with("7~"));
  const Object moved = WithEndpoints(device, {{"a", "https://10.0.0.2:9443"}}, Slices::kSeen);
  CHECK(moved.version() != shown.version());
  // What the YAML says stands where no slice tells, and all of it where there is none.
  const Object named = Device({{"endpoints", {{"a", "https://a:1"}, {"b", "https://b:1"}}}});
  CHECK(EndpointsIn(WithEndpoints(named, {{"a", "https://10.0.0.1:9443"}}, Slices::kSeen)) ==
        json{{"a", "https://10.0.0.1:9443"}, {"b", "https://b:1"}});
  CHECK(WithEndpoints(named, {}, Slices::kSeen) == named);
}

TEST_CASE(
    "who is taken out of targetNodes is no member, whatever slices and the status still say") {
  const Object device =
      Device({{"primaryNode", "a"}, {"targetNodes", {"a", "b"}}},
             {{"devices", {{{"nodeName", "a"}}, {{"nodeName", "b"}}, {{"nodeName", "c"}}}}});
  const std::map<std::string, std::string> slices{{"a", "https://10.0.0.1:9443"},
                                                  {"b", "https://10.0.0.2:9443"},
                                                  {"c", "https://10.0.0.3:9443"}};
  for (const Slices seen : {Slices::kSeen, Slices::kUnknown}) {
    const auto read = cluster::HSMDevice::FromJson(WithEndpoints(device, slices, seen).document());
    REQUIRE_MESSAGE(read.ok(), read.error().message());
    CHECK(read->MemberNodes() == std::vector<std::string>{"a", "b"});
  }
}

TEST_CASE("while slices cannot be looked at, a member that only they name stays one") {
  const Object device = Device({{"primaryNode", "a"}, {"endpoints", {{"a", "https://a:1"}}}},
                               {{"devices", {{{"nodeName", "a"}}, {{"nodeName", "b"}}}}});
  CHECK(EndpointsIn(WithEndpoints(device, {}, Slices::kUnknown)) ==
        json{{"a", "https://a:1"}, {"b", "https://b.no-endpoint.invalid"}});
  CHECK(WithEndpoints(device, {}, Slices::kSeen) == device);
}

}  // namespace hsmops::manager
