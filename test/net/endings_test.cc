// How agents and managers begin and end: what they say of what they were given, and what becomes of
// the work in hand.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/file.h"
#include "test/net/net_cluster.h"
#include "test/support/text.h"

namespace hsmops::test {
namespace {

using std::chrono::seconds;

bool HasOpen(const Process& process, const std::string& path) {
  std::error_code gone;  // one that was closed meanwhile
  const std::string files = fmt::format("/proc/{}/fd", process.pid());
  return std::ranges::any_of(std::filesystem::directory_iterator(files), [&](const auto& file) {
    return std::filesystem::read_symlink(file, gone) == path;
  });
}

std::vector<std::string> ManagerWords(const std::string& folder, const std::string& certs) {
  return {CliPath(), "--local",          folder,  "manager",         "--ca", certs + "/ca.crt",
          "--cert",  certs + "/tls.crt", "--key", certs + "/tls.key"};
}

}  // namespace

TEST_CASE("an agent that is told to end finishes the write in flight and takes no other") {
  NetCluster cluster({"a", "b"}, 2);
  REQUIRE(cluster.Becomes({"status"}, "tolerates 1 more"));
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  // It is on a's token, and waits for b, which is the only mirror.
  cluster.Agent("b").Signal(SIGSTOP);
  Process put({CliPath(), "--local", cluster.folder(), "put", "late", "--from-literal", "k=2"});
  REQUIRE(cluster.BecomesPage(cluster.AgentPages("a") + "/metrics", 200,
                              "hsm_secrets{node=\"a\",state=\"present\"} 2"));
  cluster.Agent("a").Signal(SIGTERM);
  // A pulse is answered from memory: by then the signal has come.
  CHECK_FALSE(put.WaitFor("nothing", std::chrono::milliseconds(300)));
  cluster.Agent("b").Signal(SIGCONT);
  const Ended written = put.Wait();
  CHECK_MESSAGE(written.code == 0, written.err);
  const Ended ended = cluster.Agent("a").Wait(seconds(20));
  CHECK(ended.code == 0);
  CHECK(Holds(ended.err, "no write is in flight"));
  cluster.StartAgent("a");
  CHECK(cluster.Becomes({"get", "late", "--reveal"}, "k: 2"));
}

// As root, who has no limit on it; another user's agent says that nothing is locked.
TEST_CASE("an agent's memory is locked") {
  NetCluster cluster({"a"}, 0);
  const std::string status = ReadText(fmt::format("/proc/{}/status", cluster.Agent("a").pid()));
  const std::string mark = "VmLck:";
  REQUIRE(Holds(status, mark));
  CHECK(std::stol(status.substr(status.find(mark) + mark.size())) > 0);
  CHECK_FALSE(Holds(cluster.Agent("a").err(), "memory is not locked"));
}

TEST_CASE("an agent says that its token cannot be used, and when it can; it ends at once") {
  NetCluster cluster({"a", "b"}, 0);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  CHECK(cluster.Agent("a").WaitFor("the token is usable and holds"));
  // Another agent of the same member: its token is in use.
  const std::string certs = cluster.folder() + "/certs/member-a";
  TempFolder state;
  Process second({CliPath(), "agent", "--token", cluster.token("a").uri(), "--state",
                  state.path() + "/s", "--listen", "127.0.0.1:0", "--ca", certs + "/ca.crt",
                  "--cert", certs + "/tls.crt", "--key", certs + "/tls.key"});
  REQUIRE(second.WaitFor("the token cannot be used"));
  second.Signal(SIGTERM);
  const Ended ended = second.Wait(seconds(6));
  CHECK(ended.code == 0);
  CHECK_FALSE(ended.timed_out);
}

TEST_CASE("an agent that waits for its state folder can be told to end") {
  NetCluster cluster({"a"}, 0);
  const std::string certs = cluster.folder() + "/certs/member-a";
  TempFolder state;
  base::SystemClock clock;
  const auto lock = base::FileLock::Take(state.path() + "/lock", "a test", clock, clock.Now());
  REQUIRE(lock.ok());
  Process agent({CliPath(), "agent", "--token", cluster.token("a").uri(), "--state", state.path(),
                 "--listen", "127.0.0.1:0", "--ca", certs + "/ca.crt", "--cert", certs + "/tls.crt",
                 "--key", certs + "/tls.key"});
  while (!HasOpen(agent, state.path() + "/lock"))
    REQUIRE_FALSE(agent.WaitFor("nothing", std::chrono::milliseconds(20)));
  const base::TimePoint told = clock.Now();
  agent.Signal(SIGTERM);
  const Ended ended = agent.Wait(seconds(20));
  CHECK(clock.Now() - told < seconds(5));
  CHECK(Holds(ended.err, "in use: "));
}

TEST_CASE("an agent says which certificate it did not take, and when it takes one") {
  NetCluster cluster({"a"}, 0);
  const std::string key = cluster.folder() + "/certs/member-a/tls.key";
  const std::string good = ReadText(key);
  WriteText(key, "half a");
  CHECK(cluster.Agent("a").WaitFor("the certificate files have changed and are not taken: "));
  WriteText(key, good);
  CHECK(cluster.Agent("a").WaitFor("/certs/member-a/tls.crt was read again: valid until "));
}

TEST_CASE("a command whose certificate is not taken says so, and nothing of the device") {
  NetCluster cluster({"a", "b"}, 0);
  cluster.Must({"health"});
  TempFolder other;
  REQUIRE(Run({CliPath(), "--local", other.path(), "certs", "init"}).code == 0);
  const auto as = [&](const std::string& certs, const std::string& verb) {
    return cluster.Hsm({verb, "--certificate-authority", certs + "/ca.crt", "--client-certificate",
                        certs + "/tls.crt", "--client-key", certs + "/tls.key"});
  };
  const std::string reader = cluster.Issue("reader", "app");
  for (const std::string& certs : {other.path() + "/certs/cli", reader, other / "none"}) {
    for (const char* verb : {"health", "status", "check"}) {
      const Ended ended = as(certs, verb);
      CAPTURE(certs);
      CAPTURE(verb);
      CHECK_MESSAGE(ended.code == 1, ended.out, ended.err);
      CHECK_MESSAGE(Holds(ended.err, "no member could be asked with this certificate"), ended.err);
      CHECK(ended.out.empty());
    }
  }
  cluster.Must({"health"});
}

TEST_CASE("with --log-format=json every line of a manager's log is an object") {
  NetCluster cluster({"a", "b"}, 0);
  const std::string certs = cluster.Issue("manager", "m");
  std::vector<std::string> words = ManagerWords(cluster.folder(), certs);
  words.insert(words.end(), {"--log-format", "json"});
  Process manager(words);
  // It leads, and a turn says what it found.
  REQUIRE(manager.WaitFor("nothing is wrong with Primary a", seconds(30)));
  manager.Signal(SIGTERM);
  const Ended ended = manager.Wait(seconds(20));
  CHECK(ended.code == 0);
  std::istringstream lines(ended.err);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto object = nlohmann::json::parse(line, nullptr, false);
    REQUIRE_MESSAGE(object.is_object(), line);
    for (const char* field : {"time", "level", "msg"})
      CHECK_MESSAGE((object.contains(field) && object[field].is_string()), line);
  }
  CHECK(count >= 3);
}

TEST_CASE("a manager that is told to end does not wait for a member that hangs") {
  NetCluster cluster({"a", "b"}, 1);
  cluster.EditDevice(
      {{"syncInterval: 300", "syncInterval: 1"}, {"verifyInterval: 86400", "verifyInterval: 1"}});
  REQUIRE(cluster.Becomes({"status"}, "tolerates 1 more"));
  cluster.Arm("b", "verification-begun");
  cluster.UntilStoppedAt("b", "verification-begun");  // it would be waited for ten minutes
  cluster.Manager(1).Signal(SIGTERM);
  const Ended ended = cluster.Manager(1).Wait(seconds(40));
  CHECK_FALSE(ended.timed_out);
  CHECK(ended.code == 0);
  cluster.Agent("b").Signal(SIGCONT);
}

TEST_CASE("a manager that can do nothing for this folder does not begin") {
  NetCluster cluster({"a", "b"}, 1);
  REQUIRE(cluster.Becomes({"status"}, "tolerates 1 more"));
  TempFolder other;
  const std::string certs = other.path() + "/certs";
  REQUIRE(Run({CliPath(), "--local", other.path(), "certs", "init"}).code == 0);
  REQUIRE(Run({CliPath(), "--local", other.path(), "certs", "issue", "--manager", "m"}).code == 0);
  const Ended foreign = Run(ManagerWords(cluster.folder(), certs + "/manager-m"), {}, seconds(20));
  CHECK(foreign.code == 2);
  CHECK_MESSAGE(Holds(foreign.err, "device local is of another"), foreign.err);

  std::vector<std::string> words =
      ManagerWords(cluster.folder(), cluster.folder() + "/certs/manager-manager-1");
  words.insert(words.end(), {"--url", "ftp://x"});
  const Ended url = Run(words, {}, seconds(20));
  CHECK(url.code == 2);
  CHECK_MESSAGE(Holds(url.err, "--url ftp://x is not https://HOST[:PORT]"), url.err);
}

}  // namespace hsmops::test
