// What the command line asks of managers: the same words and exit codes as without them, and an
// end that is true whoever dies meanwhile.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <thread>

#include "libhsmops/base/clock.h"
#include "test/net/net_cluster.h"
#include "test/support/text.h"

namespace hsmops::test {
namespace {

using std::chrono::seconds;

void Signalled(Process& process, int signal) {
  process.Signal(signal);
  CHECK(process.Wait().signal == signal);
}

// A promotion or a leader's first turns come first.
void UntilWhole(NetCluster& cluster, std::size_t others) {
  REQUIRE(cluster.Becomes({"status"}, fmt::format("tolerates {} more", others)));
}

void Manage(NetCluster& cluster, int managers) {
  for (int i = 1; i <= managers; ++i) {
    (void)cluster.Issue("manager", fmt::format("manager-{}", i));
    cluster.StartManager(i);
  }
  const auto until = std::chrono::steady_clock::now() + seconds(30);
  while (!std::filesystem::exists(cluster.folder() + "/leases/default.hsm-manager.yaml") ||
         cluster.Leader() == 0) {
    REQUIRE(std::chrono::steady_clock::now() < until);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// One object as the older operator wrote it; the agent has the token to itself otherwise.
void WriteOlder(NetCluster& cluster, const std::string& node, const std::string& label,
                const std::string& value) {
  Signalled(cluster.Agent(node), SIGKILL);
  cluster.token(node).WriteOlderObject(label, value);
  cluster.StartAgent(node);
}

// A version of "alone" that only a had when b was made the Primary in its place.
void SetOneAside(NetCluster& cluster) {
  cluster.Must({"put", "both", "--from-literal", "k=1"});
  Signalled(cluster.Agent("b"), SIGKILL);
  // In doubt: a still counts on b, which is gone.
  CHECK(cluster.Hsm({"put", "alone", "--from-literal", "k=1"}).code == 6);
  Signalled(cluster.Agent("a"), SIGKILL);
  cluster.StartAgent("b");
  cluster.Must({"failover", "--to", "b"});
  cluster.StartAgent("a");
  cluster.Must({"sync"});
  REQUIRE(Holds(cluster.Must({"divergence", "list"}), "alone"));
}

// Who did it: a command's own operation has no such name.
bool LeaderDid(NetCluster& cluster, const std::string& type, const std::string& phase) {
  const std::string all = cluster.Must(
      {"operation", "list", "-o",
       "jsonpath={range .items[*]}{.metadata.name} {.spec.type} {.status.phase}{\"\\n\"}{end}"});
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\n', at), all.size());
    const std::string line = all.substr(at, end - at);
    if (Holds(line, "-cli-") && Holds(line, " " + type + " " + phase)) return true;
    at = end + 1;
  }
  return false;
}

// `id` of "… ID begins at" and the like: the word that names an operation of a command.
std::string IdIn(const std::string& text) {
  const std::size_t at = text.find("local-cli-");
  REQUIRE_MESSAGE(at != std::string::npos, text);
  return text.substr(at, std::string("local-cli-01234567").size());
}

std::string In(seconds later) {
  base::SystemClock clock;
  return base::FormatTime(clock.Wall() + later);
}

std::string Without(std::string text, const std::string& folder) {
  for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder, at))
    text.replace(at, folder.size(), "DIR");
  return text;
}

}  // namespace

TEST_CASE("what is wrong is refused with the same words and code by a manager as without one") {
  const std::vector<std::vector<std::string>> all{
      {"reinit"},
      {"reinit", "--node", "x", "--yes"},
      {"reinit", "--node", "a", "--yes"},
      {"reinit", "--node", "b"},
      {"adopt", "no-such-device"},
      {"divergence", "discard", "nope", "--yes"},
      {"divergence", "discard", "nope", "--node", "x", "--yes"},
      {"divergence", "discard"},
      {"promote", "--to", "b", "--at", "yesterday"},
      {"promote", "--to", "b", "--at", "2001-01-01T00:00:00Z"},
      {"promote", "--to", "x"},
      {"get", "nope"},
      {"get", "UPPER"},
      {"delete", "nope", "--yes"},
      {"rename-key", "nope", "k", "l"},
      {"rename-key", "app", "nope", "l"},
      {"rename-key", "app", "k", "other"},
      {"put", "app", "--from-literal", "k=2", "--expect", "absent"},
  };
  NetCluster cluster({"a", "b"}, 0);
  cluster.Must({"put", "app", "--from-literal", "k=1", "--from-literal", "other=1"});
  const auto ask = [&] {
    std::vector<std::string> answers;
    for (const auto& words : all) {
      const Ended ended = cluster.Hsm(words);
      answers.push_back(fmt::format("{} {}: {} {}", words[0], words.size() > 1 ? words[1] : "",
                                    ended.code, Without(ended.err, cluster.folder())));
    }
    return answers;
  };
  const auto alone = ask();
  Manage(cluster, 1);
  UntilWhole(cluster, 1);
  const auto managed = ask();
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(managed[i] == alone[i]);
  CHECK(cluster.Value("app") == "1");
  CHECK(LeaderDid(cluster, "Reinit", "Failed"));
}

TEST_CASE("a reinit is done by the manager that leads, and by the next when that dies half-way") {
  NetCluster cluster({"a", "b", "c"}, 2);
  UntilWhole(cluster, 2);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  CHECK(Holds(cluster.Must({"reinit", "--node", "b", "--yes"}), "b is a member again"));
  CHECK(LeaderDid(cluster, "Reinit", "Succeeded"));
  CHECK(Holds(cluster.Must({"diff", "a", "b"}), "equal"));

  const int leader = cluster.Leader();
  cluster.Arm(fmt::format("manager-{}", leader), "after-wipe");
  Process reinit({CliPath(), "--local", cluster.folder(), "reinit", "--node", "c", "--yes"});
  cluster.UntilStoppedAt(fmt::format("manager-{}", leader), "after-wipe");
  CHECK(cluster.Hsm({"diff", "a", "c"}).code != 0);  // it is wiped
  Signalled(cluster.Manager(leader), SIGKILL);
  const Ended ended = reinit.Wait();
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK_MESSAGE(Holds(ended.out, "c is a member again: 1 secrets copied"), ended.out);
  CHECK(Holds(cluster.Must({"diff", "a", "c"}), "equal"));
  CHECK(cluster.Value("app") == "1");
  UntilWhole(cluster, 2);
}

TEST_CASE("a leader that is stopped half-way through a reinit ends it when it goes on") {
  NetCluster cluster({"a", "b"}, 2);
  UntilWhole(cluster, 1);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  const int leader = cluster.Leader();
  cluster.Arm(fmt::format("manager-{}", leader), "after-wipe");
  Process reinit({CliPath(), "--local", cluster.folder(), "reinit", "--node", "b", "--yes"});
  cluster.UntilStoppedAt(fmt::format("manager-{}", leader), "after-wipe");
  // R is renewed by the other one meanwhile, for as long as nobody else leads.
  std::this_thread::sleep_for(seconds(5));
  cluster.Manager(leader).Signal(SIGCONT);
  const Ended ended = reinit.Wait();
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(Holds(cluster.Must({"diff", "a", "b"}), "equal"));
  UntilWhole(cluster, 1);
}

// Its wipe would take away what was acknowledged since.
TEST_CASE("a leader that was stopped before a wipe does not do it when another has done it since") {
  NetCluster cluster({"a", "b"}, 2);
  UntilWhole(cluster, 1);
  const int leader = cluster.Leader();
  cluster.Arm(fmt::format("manager-{}", leader), "before-wipe");
  Process reinit({CliPath(), "--local", cluster.folder(), "reinit", "--node", "b", "--yes"});
  cluster.UntilStoppedAt(fmt::format("manager-{}", leader), "before-wipe");
  const Ended ended = reinit.Wait();
  CHECK_MESSAGE(ended.code == 0, ended.err);
  UntilWhole(cluster, 1);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  cluster.Manager(leader).Signal(SIGCONT);
  CHECK_MESSAGE(cluster.Manager(leader).WaitFor("b: nothing was wiped: "),
                cluster.Manager(leader).err());
  CHECK(Holds(cluster.Must({"diff", "a", "b"}), "equal"));
}

// The mirrors are equal to a Primary that is written to at no moment that anybody could look.
TEST_CASE("a reinit ends well while secrets are written, and none of them is lost") {
  NetCluster cluster({"a", "b", "c"}, 1);
  UntilWhole(cluster, 2);
  std::atomic<bool> stop{false};
  std::vector<std::string> refused;
  int written = 0;
  std::thread writer([&] {
    while (!stop) {
      const Ended put = cluster.Hsm(
          {"put", fmt::format("app/{}", written), "--from-literal", fmt::format("k={}", written)});
      if (put.code != 0) refused.push_back(put.err);
      ++written;
    }
  });
  std::vector<Ended> ended;
  for (const char* node : {"b", "c", "b"})
    ended.push_back(cluster.Hsm({"reinit", "--node", node, "--yes"}));
  stop = true;
  writer.join();
  for (const Ended& one : ended) CHECK_MESSAGE(one.code == 0, one.err);
  for (const std::string& one : refused) CHECK_MESSAGE(false, one);
  CHECK(written > 5);
  CHECK(cluster.Becomes({"diff", "a", "b"}, fmt::format("equal: {} secrets", written)));
  CHECK(cluster.Becomes({"diff", "a", "c"}, fmt::format("equal: {} secrets", written)));
}

TEST_CASE("adopt is done by the manager that leads, and lists what it cannot take") {
  NetCluster cluster({"a", "b"}, 0);
  WriteOlder(cluster, "a", "older/k", "of before");
  WriteOlder(cluster, "a", "nokey", "no slash");
  Manage(cluster, 1);
  const Ended dry = cluster.Hsm({"adopt", "--dry-run"});
  CHECK(dry.code == 7);
  CHECK_MESSAGE(Holds(dry.out, "would take older (1 keys)"), dry.out);
  CHECK_MESSAGE(Holds(dry.out, "would take over 1 secrets, 1 not"), dry.out);
  const Ended adopt = cluster.Hsm({"adopt"});
  CHECK_MESSAGE(adopt.code == 7, adopt.err);
  CHECK_MESSAGE(Holds(adopt.err, "not taken: nokey: "), adopt.err);
  CHECK_MESSAGE(Holds(adopt.err, "kubectl hsm --local"), adopt.err);
  CHECK_MESSAGE(Holds(adopt.out, "took over 1 secrets, 1 not taken"), adopt.out);
  CHECK(LeaderDid(cluster, "Adopt", "Partial"));
  CHECK(cluster.Value("older") == "of before");
  CHECK(cluster.Becomes({"diff", "a", "b"}, "equal"));
  const std::string operations = ReadText(cluster.folder() + "/status/hsmoperations/default." +
                                          IdIn(cluster.Must({"operation", "list"})) + ".yaml");
  CHECK(!Holds(operations, "of before"));
}

TEST_CASE("a discard is done by the manager that leads, and is told truly when that dies") {
  NetCluster cluster({"a", "b"}, 0);
  SetOneAside(cluster);
  Manage(cluster, 2);
  const Ended unsure = cluster.Hsm({"divergence", "discard", "alone"});
  CHECK(unsure.code == 5);
  CHECK_MESSAGE(Holds(unsure.err, "Discard version 1.2 of alone on a for good? Add --yes"),
                unsure.err);
  const int leader = cluster.Leader();
  cluster.Arm(fmt::format("manager-{}", leader), "after-discard");
  Process discard(
      {CliPath(), "--local", cluster.folder(), "divergence", "discard", "alone", "--yes"});
  cluster.UntilStoppedAt(fmt::format("manager-{}", leader), "after-discard");
  Signalled(cluster.Manager(leader), SIGKILL);
  const Ended ended = discard.Wait();
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK_MESSAGE(Holds(ended.out, "discarded version 1.2 of alone on a"), ended.out);
  CHECK(LeaderDid(cluster, "Discard", "Succeeded"));
  CHECK(!Holds(cluster.Hsm({"divergence", "list"}).out, "alone"));
}

TEST_CASE("promote --at is handed to the manager that leads: it is done then, unless cancelled") {
  NetCluster cluster({"a", "b"}, 1);
  UntilWhole(cluster, 1);
  const auto asked = std::chrono::steady_clock::now();
  const Ended later = cluster.Hsm({"promote", "--to", "b", "--at", In(seconds(3600))});
  CHECK(later.code == 6);
  CHECK(std::chrono::steady_clock::now() - asked < seconds(20));
  CHECK_MESSAGE(!Holds(later.err, "fail"), later.err);
  const std::string id = IdIn(later.err);
  CHECK(LeaderDid(cluster, "Promote", "Pending"));
  cluster.Must({"operation", "cancel", id});
  const Ended cancelled = cluster.Hsm({"operation", "wait", id});
  CHECK(cancelled.code == 1);
  CHECK_MESSAGE(Holds(cancelled.out, "cancelled before it began; nothing was changed"),
                cancelled.out);

  Process waits(
      {CliPath(), "--local", cluster.folder(), "promote", "--to", "b", "--at", In(seconds(40))});
  REQUIRE(waits.WaitFor("begins at"));
  waits.Signal(SIGINT);
  const Ended detached = waits.Wait();
  CHECK(detached.code == 130);
  CHECK_MESSAGE(Holds(detached.err, "detached: "), detached.err);
  cluster.Must({"operation", "cancel", IdIn(detached.err)});
  CHECK(cluster.Hsm({"operation", "wait", IdIn(detached.err)}).code == 1);

  const Ended done = cluster.Hsm({"promote", "--to", "b", "--at", In(seconds(6))});
  CHECK_MESSAGE(done.code == 0, done.err);
  CHECK_MESSAGE(Holds(done.out, "b is the Primary of epoch 2"), done.out);
}

TEST_CASE("secrets go through the live API of any manager, past those that are dead or stopped") {
  NetCluster cluster({"a", "b"}, 3);
  UntilWhole(cluster, 1);
  cluster.Must({"put", "app", "--from-literal", "k=s3cret"});
  const std::string reader = cluster.Issue("reader", "app");
  const std::vector<std::string> as_reader{
      "--certificate-authority", reader + "/ca.crt", "--client-certificate",
      reader + "/tls.crt",       "--client-key",     reader + "/tls.key"};
  const auto asked = [&](std::vector<std::string> words) {
    words.insert(words.end(), as_reader.begin(), as_reader.end());
    return cluster.Hsm(words);
  };
  CHECK(asked({"get", "app", "--key", "k", "--raw"}).out == "s3cret");
  const Ended refused = asked({"put", "app", "--from-literal", "k=2"});
  CHECK(refused.code == 1);
  CHECK_MESSAGE(Holds(refused.err, "the role reader may not"), refused.err);

  Signalled(cluster.Manager(1), SIGKILL);
  cluster.StopManager(2);
  for (int i = 0; i < 4; ++i) {
    cluster.Must({"put", "app", "--from-literal", fmt::format("k={}", i)});
    CHECK(cluster.Value("app") == fmt::format("{}", i));
  }
  for (const char* verb : {"stamp", "put", "get"}) {
    CHECK(cluster.BecomesPage(cluster.ManagerPages(3) + "/metrics", 200,
                              fmt::format("code=\"200\",route=\"{}\"", verb)));
  }
  cluster.Manager(2).Signal(SIGCONT);
  cluster.Must({"rename-key", "app", "k", "l"});
  CHECK(cluster.Hsm({"get", "app", "--key", "l", "--raw"}).out == "3");
  cluster.Must({"delete", "app", "--yes"});
  CHECK(cluster.Hsm({"get", "app"}).code == 4);
  for (const auto& file : std::filesystem::recursive_directory_iterator(cluster.folder())) {
    if (file.is_regular_file()) CHECK(!Holds(ReadText(file.path()), "s3cret"));
  }
}

TEST_CASE("managers that are gone are waited out, and those that ended in order leave no trace") {
  NetCluster cluster({"a", "b"}, 2);
  UntilWhole(cluster, 1);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  Signalled(cluster.Manager(1), SIGKILL);
  Signalled(cluster.Manager(2), SIGKILL);
  const Ended put = cluster.Hsm({"put", "app", "--from-literal", "k=2"});
  CHECK(put.code == 1);
  CHECK_MESSAGE(Holds(put.err, "not tried: no manager could do it"), put.err);
  CHECK_MESSAGE(Holds(put.err, "kubectl hsm --local"), put.err);
  CHECK(cluster.Hsm({"get", "app"}).code == 1);
  // Then the command works with the agents by itself.
  CHECK(cluster.Becomes({"get", "app", "--reveal"}, "k: 1"));
  cluster.StartManager(1);
  UntilWhole(cluster, 1);
  cluster.Must({"put", "app", "--from-literal", "k=3"});
  cluster.Manager(1).Signal(SIGTERM);
  CHECK(cluster.Manager(1).Wait().code == 0);
  CHECK(cluster.Value("app") == "3");
}

TEST_CASE("a put whose Primary stops before it answers is settled by its operation id, done once") {
  NetCluster cluster({"a", "b", "c"}, 2, {.brisk = true});
  UntilWhole(cluster, 2);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  cluster.Arm("a", "before-acknowledge");
  const Ended put = cluster.Hsm({"put", "app", "--from-literal", "k=2", "--timeout", "2s"});
  CHECK(put.code == 6);
  CHECK_MESSAGE(!Holds(put.err, "fail"), put.err);
  const std::string mark = "--op-id ";
  const std::size_t at = put.err.find(mark);
  REQUIRE_MESSAGE(at != std::string::npos, put.err);
  const std::string id = put.err.substr(at + mark.size(), 36);
  cluster.UntilStoppedAt("a", "before-acknowledge");
  REQUIRE(cluster.Becomes({"history"}, "Succeeded"));
  const Ended again = cluster.Hsm({"put", "app", "--from-literal", "k=2", "--op-id", id});
  CHECK_MESSAGE(again.code == 0, again.err);
  CHECK_MESSAGE(Holds(again.out, "version 1.2 "), again.out);
  CHECK(cluster.Value("app") == "2");
  cluster.Agent("a").Signal(SIGCONT);
}

TEST_CASE("status -w shows each change once off a terminal, redraws on one, and ends by Ctrl-C") {
  NetCluster cluster({"a", "b"}, 1);
  UntilWhole(cluster, 1);
  Process watches({CliPath(), "--local", cluster.folder(), "status", "-w"});
  REQUIRE(watches.WaitFor("Primary a, epoch 1"));
  cluster.Must({"promote", "--to", "b"});
  REQUIRE(watches.WaitFor("Primary b, epoch 2"));
  cluster.Must({"pause", "--for", "1h", "--reason", "so that it shows"});
  REQUIRE(watches.WaitFor("so that it shows"));
  watches.Signal(SIGINT);
  const Ended ended = watches.Wait();
  CHECK(ended.code == 130);
  CHECK(!Holds(ended.out, "\x1b"));
  std::size_t blocks = 0;
  for (std::size_t at = 0; (at = ended.out.find("device local:", at)) != std::string::npos; ++at)
    ++blocks;
  CHECK(blocks <= 12);  // not one for every look

  Process drawn({"script", "-qec",
                 fmt::format("{} --local {} status -w", CliPath(), cluster.folder()), "/dev/null"});
  REQUIRE(drawn.WaitFor("\x1b[2J"));
  REQUIRE(drawn.WaitFor("Primary b"));
}

}  // namespace hsmops::test
