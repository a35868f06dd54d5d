// The REST client and the store over it, against a server that answers what the test says, over
// plain HTTP as kubectl proxy does. What a real API server does with them is for the tier kube.
#include "libhsmops/kube/rest_client.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <mutex>

#include "libhsmops/kube/kube_resource_store.h"
#include "libhsmops/net/status_server.h"

namespace hsmops::kube {
namespace {

using base::ErrorCode;
using cluster::Kind;

std::string BodyOf(const base::SecretBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

net::Reply Saying(int status, const std::string& body) {
  net::Reply reply;
  reply.status = status;
  reply.content_type = "application/json";
  reply.body = base::SecretBytes::FromText(body);
  return reply;
}

// As a Status says it of an object; without `name` as of a path that is not served.
std::string NoSuch(const std::string& name) {
  return R"({"kind":"Status","message":"none there","details":{"name":")" + name + R"("}})";
}

// Answers by path.
struct Server {
  std::mutex mutex;
  std::map<std::string, net::Reply> pages;
  std::unique_ptr<net::StatusServer> server;
  base::SystemClock clock;
  std::vector<std::string> traced;
  std::shared_ptr<RestClient> client;

  Server() {
    auto started = net::StatusServer::Start("127.0.0.1:0", [this](std::string_view path) {
      const std::lock_guard lock(mutex);
      const auto page = pages.find(std::string(path));
      if (page == pages.end()) return Saying(404, NoSuch("y"));
      net::Reply copy;
      copy.status = page->second.status;
      copy.content_type = page->second.content_type;
      copy.body = page->second.body.Clone();
      copy.headers = page->second.headers;
      copy.retry_after = page->second.retry_after;
      return copy;
    });
    REQUIRE(started.ok());
    server = *std::move(started);
    ClientConfig config;
    config.server = "http://" + server->address();
    auto opened = RestClient::Open(std::move(config), {}, false, clock,
                                   [this](const std::string& line) { traced.push_back(line); });
    REQUIRE(opened.ok());
    client = *std::move(opened);
  }
  base::TimePoint Soon() { return clock.Now() + std::chrono::seconds(20); }
  base::Result<RestAnswer> Ask(const std::string& path, const std::string& method = "GET") {
    RestRequest request;
    request.method = method;
    request.path = path;
    request.deadline = Soon();
    return client->Call(std::move(request));
  }
};

constexpr const char* kLeases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

}  // namespace

TEST_CASE(
    "rest: an answer of any status comes with its body, its warnings and when to come again") {
  Server server;
  server.pages["/a"] = Saying(200, "{}");
  server.pages["/a"].headers["Warning"] = R"(299 - "this is old", 299 - "say \"b\"")";
  server.pages["/b"] = Saying(503, "busy");
  server.pages["/b"].retry_after = std::chrono::seconds(7);
  auto answer = server.Ask("/a");
  REQUIRE_MESSAGE(answer.ok(), answer.error().message());
  CHECK(answer->status == 200);
  CHECK(BodyOf(answer->body) == "{}");
  CHECK(answer->warnings == std::vector<std::string>{"this is old", R"(say "b")"});
  answer = server.Ask("/b");
  REQUIRE(answer.ok());
  CHECK(answer->status == 503);
  CHECK(answer->retry_after == std::chrono::seconds(7));
  REQUIRE(server.traced.size() == 2);
  CHECK(server.traced[0].find("/a 200 in ") != std::string::npos);
}

TEST_CASE("rest: where nobody listens nothing was done") {
  Server server;
  server.server.reset();
  CHECK(server.Ask("/a").Is(ErrorCode::kUnavailable));
  CHECK(server.Ask("/a", "POST").Is(ErrorCode::kUnavailable));
}

TEST_CASE("rest: a stream gives whole lines, and says when it has ended") {
  Server server;
  server.pages["/watch"] = Saying(200, "one\ntwo\nhal");
  auto stream = server.client->Stream("/watch", server.Soon());
  REQUIRE_MESSAGE(stream.ok(), stream.error().message());
  CHECK((*stream)->status() == 200);
  CHECK(BodyOf(**(*stream)->Next(server.Soon())) == "one");
  CHECK(BodyOf(**(*stream)->Next(server.Soon())) == "two");
  CHECK((*stream)->Next(server.Soon()).Is(ErrorCode::kUnavailable));
  CHECK((*stream)->Next(server.Soon()).Is(ErrorCode::kUnavailable));
  const auto refused = server.client->Stream("/nowhere", server.Soon());
  REQUIRE(refused.ok());
  CHECK((*refused)->status() == 404);
  CHECK(BodyOf(**(*refused)->Next(server.Soon())).find("none there") != std::string::npos);
}

TEST_CASE("a refusal names whom it is about where others read it; a 400 may be of another server") {
  kube::RestAnswer answer;
  answer.status = 403;
  answer.body = base::SecretBytes::FromText(
      R"({"kind":"Status","message":"User \"system:serviceaccount:a:b\" cannot get leases"})");
  const kube::ApiVerb asked{"get", "leases.coordination.k8s.io", "a", "x"};
  const auto says = [&](const std::string& what) {
    return kube::ErrorOf(answer, asked).message().find(what) != std::string::npos;
  };
  CHECK(says("-n a shows it"));
  answer.for_others = true;
  CHECK(says("-n a --as system:serviceaccount:a:b shows it"));
  answer.as = " --as bob";
  CHECK(says("-n a --as bob shows it"));
  answer.status = 400;
  CHECK(kube::ErrorOf(answer, asked).code() == ErrorCode::kInvalid);
  answer.body = base::SecretBytes::FromText("Client sent an HTTP request to an HTTPS server.");
  CHECK(kube::ErrorOf(answer, asked).code() == ErrorCode::kUnavailable);
  CHECK(says("kubectl config view --minify"));
}

TEST_CASE("kube store: objects, lists and refusals are read as the API has them") {
  Server server;
  KubeResourceStore store(server.client, server.clock);
  const std::string lease =
      R"({"metadata":{"name":"x","namespace":"default","resourceVersion":"7","uid":"u"}})";
  server.pages[std::string(kLeases) + "/x"] = Saying(200, lease);
  server.pages[kLeases] = Saying(
      200, R"({"metadata":{"resourceVersion":"9"},"items":[)" + lease + "]}");  // with a query
  const auto got = store.Get(Kind::kLease, "default", "x");
  REQUIRE_MESSAGE(got.ok(), got.error().message());
  CHECK(got->version() == "7");
  CHECK(store.Get(Kind::kLease, "default", "y").Is(ErrorCode::kNotFound));
  CHECK(store.Get(Kind::kLease, "default", "../secrets/y").Is(ErrorCode::kNotFound));
  const auto list = store.List(Kind::kLease, "default");
  REQUIRE_MESSAGE(list.ok(), list.error().message());
  CHECK(list->version == "9");
  CHECK(list->items.size() == 1);
  server.pages[std::string(kLeases) + "/x"] =
      Saying(403, R"({"kind":"Status","message":"leases \"x\" is forbidden"})");
  const auto forbidden = store.Get(Kind::kLease, "default", "x");
  CHECK(forbidden.Is(ErrorCode::kAuthFailed));
  CHECK(forbidden.error().message().find(
            "kubectl auth can-i get leases.coordination.k8s.io -n default") != std::string::npos);
  server.pages[std::string(kLeases) + "/x"] = Saying(500, "etcd");
  CHECK(store.Get(Kind::kLease, "default", "x").Is(ErrorCode::kUnavailable));
}

TEST_CASE("kube store: what is no answer about an object is never read as its absence") {
  Server server;
  KubeResourceStore store(server.client, server.clock);
  const std::string x = std::string(kLeases) + "/x";
  for (const std::string& page : {std::string("404 page not found"), NoSuch(""),
                                  std::string(R"({"kind":5,"details":{"name":7}})")}) {
    CAPTURE(page);
    server.pages[x] = Saying(404, page);
    CHECK(store.Get(Kind::kLease, "default", "x").Is(ErrorCode::kUnavailable));
  }
  server.pages[x] = Saying(404, NoSuch("x"));
  CHECK(store.Get(Kind::kLease, "default", "x").Is(ErrorCode::kNotFound));
  for (const char* const page :
       {"{}", R"({"items":[]})", R"({"metadata":{"resourceVersion":"9"},"items":{}})",
        R"({"metadata":{"resourceVersion":9},"items":[]})", R"({"metadata":[],"items":[]})"}) {
    CAPTURE(page);
    server.pages[kLeases] = Saying(200, page);
    CHECK(store.List(Kind::kLease, "default").Is(ErrorCode::kCorrupt));
  }
  server.pages[kLeases] = Saying(200, R"({"metadata":{"resourceVersion":"9"},"items":null})");
  CHECK(store.List(Kind::kLease, "default").ok());
}

TEST_CASE("kube store: a watch that goes on looks whether the record is an older one by now") {
  Server server;
  KubeResourceStore store(server.client, server.clock);
  const std::string told =
      R"({"type":"MODIFIED","object":{"metadata":{"name":"x","namespace":"default",)"
      R"("resourceVersion":"12","uid":"u"}}})"
      "\n";
  for (const bool older : {true, false}) {
    CAPTURE(older);
    server.pages[kLeases] = Saying(200, told);
    auto watch = store.OpenWatch(Kind::kLease, "default", "7");
    REQUIRE(watch.ok());
    const auto change = (*watch)->Next(server.Soon());
    REQUIRE((change.ok() && *change));
    CHECK((*change)->object->version() == "12");
    // A list, also to who asks for a watch, which is then refused.
    server.pages[kLeases] =
        Saying(200, fmt::format("{{\"metadata\":{{\"resourceVersion\":\"{}\"}},\"items\":[]}}\n",
                                older ? 9 : 100));
    const auto next = (*watch)->Next(server.Soon());
    CHECK(next.ok() == older);
    if (next.ok()) CHECK((*next)->type == cluster::ChangeType::kResync);
  }
}

}  // namespace hsmops::kube
