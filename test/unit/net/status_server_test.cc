// Health pages and the plain server before them.
#include "libhsmops/net/status_server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "libhsmops/net/health_page.h"
#include "test/support/fetch.h"

namespace hsmops::net {

namespace {

using test::Fetch;

HealthReport Report(bool token) {
  HealthReport report;
  report.live = {"live", true, ""};
  report.ready = {"ready", token, "so it is"};
  report.parts = {{"token", token, token ? "2 secrets" : "gone"}, {"certificate", true, ""}};
  return report;
}

std::string Text(const Reply& reply) {
  return {reinterpret_cast<const char*>(reply.body.data()), reply.body.size()};
}

// A connected socket to "127.0.0.1:PORT".
int Connect(const std::string& address) {
  const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  REQUIRE(connect(peer, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return peer;
}

bool ClosedWithin(int peer, std::chrono::milliseconds time) {
  pollfd waits{peer, POLLIN, 0};
  if (poll(&waits, 1, static_cast<int>(time.count())) <= 0) return false;
  char byte = 0;
  return recv(peer, &byte, 1, MSG_DONTWAIT) <= 0;
}

}  // namespace

TEST_CASE("a health page answers 200 or 503 for the whole and for each part") {
  CHECK(HealthPage("/health", Report(true)).status == 200);
  const Reply failing = HealthPage("/health", Report(false));
  CHECK(failing.status == 503);
  const auto json = nlohmann::json::parse(Text(failing));
  CHECK(json["status"] == "failing");
  CHECK(json["parts"]["token"]["message"] == "gone");
  CHECK(json["parts"]["certificate"]["status"] == "ok");
  CHECK(HealthPage("/health/token", Report(false)).status == 503);
  CHECK(HealthPage("/health/certificate", Report(false)).status == 200);
  CHECK(HealthPage("/livez", Report(false)).status == 200);
  CHECK(HealthPage("/readyz", Report(false)).status == 503);
  for (const char* path : {"/health/", "/health/nothing", "/healthz", "/primary", "/", ""})
    CHECK(HealthPage(path, Report(true)).status == 404);
  HealthReport primary = Report(true);
  primary.primary = {"primary", false, "it has no grant"};
  CHECK(HealthPage("/primary", primary).status == 503);
  CHECK(PathOf("/metrics?a=/b") == "/metrics");
}

TEST_CASE("the status server answers GET and HEAD, and nothing else") {
  const auto server = StatusServer::Start(
      "127.0.0.1:0", [](std::string_view path) { return HealthPage(path, Report(true)); });
  REQUIRE_MESSAGE(server.ok(), server.error().message());
  const std::string url = "http://" + (*server)->address();
  CHECK(Fetch(url + "/livez").status == 200);
  CHECK(Fetch(url + "/health?verbose=1").body.find("2 secrets") != std::string::npos);
  CHECK(Fetch(url + "/nothing").status == 404);
  CHECK(Fetch(url + "/livez", "POST").status == 405);
  CHECK(Fetch(url + "/livez", "DELETE").status == 405);
  CHECK(!StatusServer::Start((*server)->address(), [](std::string_view) { return Reply{}; }).ok());
  CHECK(StatusServer::Start("nowhere", [](std::string_view) {
          return Reply{};
        }).Is(base::ErrorCode::kInvalid));
}

TEST_CASE("silent and endless peers of the status server cost the others nothing") {
  const auto server = StatusServer::Start(
      "127.0.0.1:0", [](std::string_view path) { return HealthPage(path, Report(true)); });
  REQUIRE(server.ok());
  std::vector<int> peers;
  for (int i = 0; i < 200; ++i) peers.push_back(Connect((*server)->address()));
  const int endless = Connect((*server)->address());
  const std::string much(std::size_t{64} << 10, 'x');
  while (send(endless, much.data(), much.size(), MSG_NOSIGNAL) > 0) {
  }
  CHECK(Fetch("http://" + (*server)->address() + "/livez").status == 200);
  // As many as are allowed stay, the latest; who was there before them is let go at once.
  CHECK(ClosedWithin(peers.front(), std::chrono::seconds(5)));
  CHECK(!ClosedWithin(peers.back(), std::chrono::milliseconds(0)));
  close(endless);
  for (const int peer : peers) close(peer);
}

}  // namespace hsmops::net
