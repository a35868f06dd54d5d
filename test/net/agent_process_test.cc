// What an agent's process shows of itself: no value and no PIN, to nobody, not even in its end.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <filesystem>

#include "test/net/net_cluster.h"

namespace hsmops::test {
namespace {

const std::string kValue = "value-that-nobody-may-see";

// Root may look into any process by its capabilities. Without them a process may be looked into by
// its own user if it is dumpable; so both sides are without.
const std::vector<std::string> kPlainRoot{"setpriv", "--bounding-set", "-all", "--inh-caps",
                                          "-all"};

// Cores are wanted, in this folder if the machine writes them to where a process is.
std::vector<std::string> WithCores(const std::string& folder) {
  std::vector<std::string> argv = kPlainRoot;
  argv.insert(argv.end(),
              {"sh", "-c", "ulimit -c \"$(ulimit -H -c)\"; cd \"$0\"; exec \"$@\"", folder});
  return argv;
}

std::string OfProc(const Process& process, const std::string& file) {
  return ReadText(fmt::format("/proc/{}/{}", process.pid(), file));
}

Ended LookInto(const Process& process, const std::string& file) {
  std::vector<std::string> argv = kPlainRoot;
  argv.insert(argv.end(), {"cat", fmt::format("/proc/{}/{}", process.pid(), file)});
  return Run(argv);
}

std::string CoreLimit(const Process& process) {
  const std::string limits = OfProc(process, "limits");
  const std::size_t at = limits.find("Max core file size");
  return limits.substr(at, limits.find('\n', at) - at);
}

void ShowsNone(const std::string& text, const SoftHsmToken& token) {
  CHECK(text.find(kValue) == std::string::npos);
  CHECK(text.find(ReadText(token.pin_path())) == std::string::npos);
}

}  // namespace

TEST_CASE("an agent's process shows no value and no PIN, and cannot be looked into") {
  TempFolder cores;
  NetCluster cluster({"a"}, 0, {.before_agent = WithCores(cores.path())});
  cluster.Must({"put", "app", "--from-literal", "k=" + kValue});
  CHECK(cluster.Value("app") == kValue);
  Process& agent = cluster.Agent("a");
  CHECK(OfProc(agent, "cmdline").find("agent") != std::string::npos);
  ShowsNone(OfProc(agent, "cmdline"), cluster.token("a"));
  ShowsNone(OfProc(agent, "environ"), cluster.token("a"));
  CHECK(CoreLimit(agent).find(" 0 ") != std::string::npos);

  // A program that does not harden itself, started the same way, can be looked into.
  std::vector<std::string> words = WithCores(cores.path());
  words.insert(words.end(), {"sleep", "60"});
  Process plain(words);
  while (OfProc(plain, "cmdline").find("sleep") != 0) {
    REQUIRE_FALSE(plain.WaitFor("nothing", std::chrono::milliseconds(10)));
  }
  CHECK(LookInto(plain, "environ").code == 0);
  const Ended refused = LookInto(agent, "environ");
  CHECK(refused.code != 0);
  CHECK(refused.err.find("Permission denied") != std::string::npos);
  CHECK(LookInto(agent, "maps").code != 0);

  agent.Signal(SIGSEGV);
  const Ended ended = agent.Wait();
  CHECK(ended.signal == SIGSEGV);
  ShowsNone(ended.out + ended.err, cluster.token("a"));
  CHECK(std::filesystem::is_empty(cores.path()));
}

}  // namespace hsmops::test
