// Routes: who may ask an agent for what, and on which threads it is answered.
#include "libhsmops/agent/routes.h"

#include "libhsmops/agent/message.h"
#include "libhsmops/agent/verb.h"
#include "test/unit/agent/pool.h"

namespace hsmops::test {
namespace {

using agent::RouteLane;
using agent::Routes;
using net::Role;

struct Asked {
  base::ManualClock clock;
  Node node{1, kSmallFiles, clock};
  Routes routes{*node.agent};

  net::Received Request(const std::string& name, Role role) {
    net::Received received;
    received.method = "POST";
    received.target = std::string(agent::kMemberPath) + name;
    received.identity = {"pool", role, "somebody"};
    received.headers["content-type"] = agent::kMemberContentType;
    return received;
  }
  // The status of the refusal, or 200 for a route.
  int Ask(const std::string& name, Role role) {
    const auto found = routes.Find(Request(name, role));
    const auto* reply = std::get_if<net::Reply>(&found);
    return reply == nullptr ? 200 : reply->status;
  }
};

base::SecretBytes Body(agent::Verb verb) {
  agent::Out out;
  out(static_cast<std::uint8_t>(verb));
  return std::move(out).Take();
}

}  // namespace

TEST_CASE(
    "a manager asks everything, a member what a Primary asks its mirrors, a reader a secret") {
  Asked asked;
  for (int verb = 0; verb <= static_cast<int>(LastOf(agent::Verb{})); ++verb) {
    const base::SecretBytes body = Body(static_cast<agent::Verb>(verb));
    const std::string name(agent::KindOf(body.view())->name);
    CAPTURE(name);
    CHECK(asked.Ask(name, Role::kManager) == 200);
    const bool by_member =
        name == "apply" || name == "digest" || name == "inventory" || name == "era";
    CHECK(asked.Ask(name, Role::kMember) == (by_member ? 200 : 403));
    CHECK(asked.Ask(name, Role::kReader) == (name == "read" ? 200 : 403));
  }
}

TEST_CASE("another path, method or content type is refused before the body is read") {
  Asked asked;
  CHECK(asked.Ask("nothing", Role::kManager) == 404);
  net::Received get = asked.Request("status", Role::kManager);
  get.method = "GET";
  CHECK(std::get<net::Reply>(asked.routes.Find(get)).status == 405);
  net::Received json = asked.Request("status", Role::kManager);
  json.headers["content-type"] = "application/json";
  CHECK(std::get<net::Reply>(asked.routes.Find(json)).status == 415);
}

TEST_CASE("a body that is another request than its path is refused: roles go by the path") {
  Asked asked;
  net::Received request = asked.Request("read", Role::kReader);
  auto route = std::get<net::Route>(asked.routes.Find(request));
  request.body = Body(agent::Verb::kDigest);
  CHECK(route.handle(std::move(request)).status == 400);
}

TEST_CASE("a grant and a pulse are never behind what the token does") {
  Asked asked;
  const auto lane = [&](const char* name) {
    return std::get<net::Route>(asked.routes.Find(asked.Request(name, Role::kManager))).lane;
  };
  CHECK(lane("pulse") == static_cast<std::size_t>(RouteLane::kAtOnce));
  CHECK(lane("open-gate") == static_cast<std::size_t>(RouteLane::kAtOnce));
  CHECK(lane("put") == static_cast<std::size_t>(RouteLane::kWaiting));
  CHECK(lane("prepare") == static_cast<std::size_t>(RouteLane::kChanges));
  CHECK(lane("verify") == static_cast<std::size_t>(RouteLane::kTurns));
  CHECK(lane("read") == static_cast<std::size_t>(RouteLane::kToken));
}

}  // namespace hsmops::test
