#include "libhsmops/manager/live_path.h"

#include <doctest/doctest.h>

#include "libhsmops/manager/live_reply.h"
#include "libhsmops/manager/live_write.h"
#include "libhsmops/manager/mirrored_secret.h"

namespace hsmops::manager {
namespace {

using base::ErrorCode;

LivePath PathOf(const std::string& target) {
  auto path = ParseLivePath(target);
  REQUIRE_MESSAGE(path.ok(), target);
  return *std::move(path);
}

const std::string kValue =
    "/apis/live.hsm.j5t.io/v1alpha1/namespaces/hsm-system/mirroredsecrets/payments:app:db/value";

base::Result<LiveWrite> Parse(const std::string& query, const std::string& body,
                              bool removes = false) {
  return ParseLiveWrite(PathOf(kValue + query), *store::SecretName::Parse("app/db"), removes,
                        base::AsBytes(body));
}

}  // namespace

TEST_CASE("a target of the live API says what it is about") {
  CHECK(PathOf("/apis").what == LivePath::What::kGroups);
  CHECK(PathOf("/apis/live.hsm.j5t.io").what == LivePath::What::kGroup);
  CHECK(PathOf("/apis/live.hsm.j5t.io/v1alpha1/").what == LivePath::What::kResources);
  const LivePath all = PathOf("/apis/live.hsm.j5t.io/v1alpha1/mirroredsecrets?limit=500");
  CHECK((all.resource == "mirroredsecrets" && all.ns.empty() && all.At("limit") == "500"));
  const LivePath value = PathOf(kValue + "?a=b%2Fc+d");
  CHECK((value.ns == "hsm-system" && value.name == "payments:app:db"));
  CHECK((value.subresource == "value" && value.At("a") == "b/c d"));
  for (const char* const none :
       {"/", "/api", "/apis/apps", "/apis/live.hsm.j5t.io/v1", "/apis/live.hsm.j5t.io/v1alpha1/x",
        "/apis/live.hsm.j5t.io/v1alpha1/mirroredsecrets/x",
        "/apis/live.hsm.j5t.io/v1alpha1/namespaces/a/mirroredsecrets/x/y",
        "/apis/live.hsm.j5t.io/v1alpha1/namespaces/a/devicehealths/x/value",
        "/apis/live.hsm.j5t.io/v1alpha1/namespaces/a/mirroredsecrets/x/value/y",
        "/apis/live.hsm.j5t.io/v1alpha1/namespaces/A_/mirroredsecrets"}) {
    CAPTURE(none);
    CHECK(ParseLivePath(none).Is(ErrorCode::kNotFound));
  }
  CHECK(ParseLivePath("/apis?a=%4").Is(ErrorCode::kInvalid));
  CHECK(ParseLivePath("/apis/live.hsm.j5t.io/v1alpha1/namespaces/a/mirroredsecrets/%ff")
            .Is(ErrorCode::kInvalid));
  CHECK(ParseLivePath("/apis?a=%ff").Is(ErrorCode::kInvalid));
  CHECK(ParseLivePath("/apis?a=1&a=2").Is(ErrorCode::kInvalid));
}

TEST_CASE("a write through the live API: what it asks for, and what is refused") {
  const auto put = Parse("?merge=true&stamp=7.12", R"({"data":{"k":"dg=="}})");
  REQUIRE(put.ok());
  CHECK((put->write.merge && put->stamp->run == 7 && put->stamp->at.count() == 12));
  CHECK(put->write.keys.at("k") == base::SecretBytes::FromText("v"));
  CHECK_FALSE(put->has_op_id);
  const auto expects = Parse(
      "", R"({"metadata":{"name":"payments:app:db","resourceVersion":"1.2"},"data":{"k":"dg=="}})");
  REQUIRE(expects.ok());
  CHECK((expects->write.expect->counter == 1 && expects->write.expect->lsn == 2));
  const auto removes = Parse("", R"({"preconditions":{"resourceVersion":"3.4"}})", true);
  CHECK((removes->write.remove && removes->write.expect->counter == 3));
  CHECK(Parse("?dryRun=All", "", true)->dry_run);
  struct Wrong {
    std::string query;
    std::string body;
    bool removes = false;
  };
  for (const Wrong& wrong : std::vector<Wrong>{
           {"", ""},
           {"", "[]"},
           {"", "{}"},
           {"", R"({"data":{"k":1}})"},
           {"", R"({"data":{"k":"dg"}})"},
           {"", R"({"data":{"k/":"dg=="}})"},
           {"", R"({"metadata":{"name":"other:app:db"},"data":{"k":"dg=="}})"},
           {"?force=true", R"({"data":{"k":"dg=="}})"},
           {"?merge=yes", R"({"data":{"k":"dg=="}})"},
           {"?dryRun=Some", R"({"data":{"k":"dg=="}})"},
           {"?stamp=7", R"({"data":{"k":"dg=="}})"},
           {"?opId=7", R"({"data":{"k":"dg=="}})"},
           {"?expect=1.1", R"({"metadata":{"resourceVersion":"1.2"},"data":{"k":"dg=="}})"},
           {"", "no", true},
           {"?merge=true", "", true}}) {
    CAPTURE(wrong.query);
    CAPTURE(wrong.body);
    const auto parsed = Parse(wrong.query, wrong.body, wrong.removes);
    REQUIRE(parsed.Is(ErrorCode::kInvalid));
    CHECK(parsed.error().message().find("dg") == std::string::npos);
  }
}

TEST_CASE("names of MirroredSecrets go to and fro") {
  CHECK(MirroredName("payments", "app/db") == "payments:app:db");
  const auto back = ParseMirroredName("payments:app:db");
  CHECK((back->device == "payments" && back->secret.text() == "app/db"));
  for (const char* const none : {"", "payments", "payments:", ":app", "payments:app/db", "A:b"})
    CHECK(ParseMirroredName(none).Is(ErrorCode::kInvalid));
}

TEST_CASE("a Table is answered to who wants that most") {
  CHECK(WantsTable("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"));
  CHECK(WantsTable("application/json; g=meta.k8s.io; v=v1; as=Table"));
  CHECK_FALSE(WantsTable("application/json,application/json;as=Table;v=v1;g=meta.k8s.io"));
  CHECK_FALSE(WantsTable("application/json;as=Table;v=v1beta1;g=meta.k8s.io"));
  CHECK_FALSE(WantsTable(""));
}

TEST_CASE("warnings are quoted as RFC 9111 wants it") {
  CHECK(WarningHeader({"a \"b\"", "c"}) == R"(299 - "a \"b\"", 299 - "c")");
}

}  // namespace hsmops::manager
