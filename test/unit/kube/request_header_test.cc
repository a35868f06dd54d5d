#include "libhsmops/kube/request_header.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "libhsmops/kube/secret_data.h"

namespace hsmops::kube {
namespace {

using base::ErrorCode;
using nlohmann::json;

json ConfigMap() {
  return {{"data",
           {{"requestheader-client-ca-file", "pem"},
            {"requestheader-allowed-names", R"(["front"])"},
            {"requestheader-username-headers", R"(["X-Remote-User"])"},
            {"requestheader-group-headers", R"(["X-Remote-Group"])"},
            {"requestheader-extra-headers-prefix", R"(["X-Remote-Extra-"])"}}}};
}

}  // namespace

TEST_CASE("the aggregation layer's ConfigMap: whom to believe, or an error") {
  const auto header = RequestHeader::FromConfigMap(ConfigMap());
  REQUIRE(header.ok());
  CHECK(header->username_headers == std::vector<std::string>{"x-remote-user"});
  CHECK(header->allowed_names == std::vector<std::string>{"front"});
  json without = ConfigMap();
  without["data"].erase("requestheader-client-ca-file");
  CHECK(RequestHeader::FromConfigMap(without).Is(ErrorCode::kCorrupt));
  json broken = ConfigMap();
  broken["data"]["requestheader-allowed-names"] = "front";
  CHECK(RequestHeader::FromConfigMap(broken).Is(ErrorCode::kCorrupt));
  CHECK(RequestHeader::FromConfigMap(json()).Is(ErrorCode::kCorrupt));
}

TEST_CASE("for whom a proxied request is") {
  const RequestHeader header = *RequestHeader::FromConfigMap(ConfigMap());
  const auto user = UserOf(header, {{"x-remote-user", "jane"},
                                    {"x-remote-group", "a, system:masters"},
                                    {"x-remote-group", "b"},
                                    {"x-remote-extra-example.com%2fscope", "x"},
                                    {"x-other", "y"}});
  REQUIRE(user.ok());
  CHECK(user->name == "jane");
  // A comma in a group's name makes no second group.
  CHECK(user->groups == std::vector<std::string>{"a, system:masters", "b"});
  CHECK(user->extra.at("example.com/scope") == std::vector<std::string>{"x"});
  CHECK(UserOf(header, {{"x-remote-group", "a"}}).Is(ErrorCode::kAuthFailed));
  CHECK(UserOf(header, {{"x-remote-user", "\xff"}}).Is(ErrorCode::kAuthFailed));
}

TEST_CASE("values are parted from their object, and put back") {
  const auto parted = PartData(base::AsBytes(
      R"({"kind":"X","data":{"a":"dg==","b":""},"stringData":{"a":"w"},"spec":{"data":{"x":1}},"n":[1,{"data":"y"}]})"));
  REQUIRE(parted.ok());
  CHECK(parted->document ==
        json::parse(R"({"kind":"X","spec":{"data":{"x":1}},"n":[1,{"data":"y"}]})"));
  CHECK(parted->keys.at("a") == base::SecretBytes::FromText("w"));
  CHECK(parted->keys.at("b").empty());
  const base::SecretBytes whole = WithData(parted->document, parted->keys);
  const auto again = PartData(whole.view());
  REQUIRE(again.ok());
  CHECK(again->document == parted->document);
  CHECK(again->keys.at("a") == base::SecretBytes::FromText("w"));
  for (const char* const wrong :
       {"", "1", "[]", "[{}]", R"({"data":{"a":{}}})", R"({"data":{"a":null}})", R"({"data":[]})",
        R"({"data":{"a":"secret!"}})", R"({"data":{"":"dg=="}})", R"({"data":{"a":"dg=="})"}) {
    CAPTURE(wrong);
    const auto none = PartData(base::AsBytes(wrong));
    REQUIRE(none.Is(ErrorCode::kInvalid));
    CHECK(none.error().message().find("secret!") == std::string::npos);
  }
}

}  // namespace hsmops::kube
