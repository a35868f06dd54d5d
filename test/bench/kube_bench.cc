#include "test/bench/kube_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/delivery_plan.h"
#include "test/bench/command.h"
#include "test/bench/kube_scene.h"

namespace hsmops::bench {
namespace {

using cluster::Change;
using cluster::Kind;

constexpr int kListed = 100;
constexpr double kThird = 1.0 / 3;
constexpr std::chrono::minutes kDelivers{5};
constexpr std::chrono::seconds kSettle{20};  // longer than a delivery remembers what it wrote
constexpr std::chrono::seconds kMeasured{30};
constexpr double kIdleRequests = 1;
constexpr double kManagerMegabytes = 80;

// What both clients read for the same answer, in one process of curl on one connection.
std::vector<std::string> Curl(KubeScene& scene, const std::vector<std::string>& paths) {
  test::ApiServer& api = scene.cluster().api();
  std::vector<std::string> words{"curl",
                                 "--silent",
                                 "--fail",
                                 "--cacert",
                                 api.CaFile(),
                                 "--header",
                                 "Authorization: Bearer " + api.Token("operator")};
  for (const std::string& path : paths) words.push_back(api.url() + path);
  return words;
}

std::string HsmPath(const std::string& resource) {
  return fmt::format("/apis/hsm.j5t.io/v1alpha1/namespaces/{}/{}?limit=500", kSystem, resource);
}

void CompareCommand(const std::string& what, const Cost& ours, const Cost& kubectl,
                    const Cost& curl) {
  Row(what, ours.seconds, kubectl.seconds, "<= 1/3", ours.seconds <= kThird * kubectl.seconds);
  Row("  beside curl of the same objects", ours.seconds, curl.seconds, "<= 2 x",
      ours.seconds <= 2 * curl.seconds);
  std::printf("%-58s %10.1f MB %10.1f MB %7.2f x\n", "  peak memory, curl's", ours.megabytes,
              curl.megabytes, ours.megabytes / curl.megabytes);
  SizeRow("  peak memory, kubectl's", ours.megabytes, kubectl.megabytes, "<= 1/3",
          ours.megabytes <= kThird * kubectl.megabytes);
}

void Commands(KubeScene& scene) {
  scene.FillDevice(kListed);
  const std::string leases =
      fmt::format("/apis/coordination.k8s.io/v1/namespaces/{}/leases/hsm-manager", kSystem);
  const std::string live =
      fmt::format("/apis/live.hsm.j5t.io/v1alpha1/namespaces/{}/mirroredsecrets", kSystem);
  const std::vector<Cost> costs =
      scene.CostsOf({{"kubectl", "get", "hsmdevices"},
                     {"kubectl-hsm", "health"},
                     Curl(scene, {HsmPath("hsmdevices"), leases}),
                     {"kubectl-hsm", "list"},
                     Curl(scene, {HsmPath("hsmdevices"), HsmPath("hsmsecrets"), live}),
                     {"kubectl", "version", "--client"},
                     {"kubectl", "hsm", "health"},
                     {"kubectl-hsm", "version"}});
  CompareCommand("health, beside kubectl", costs[1], costs[0], costs[2]);
  CompareCommand(fmt::format("list of {} secrets, beside kubectl", kListed), costs[3], costs[0],
                 costs[4]);
  const double sum = costs[5].seconds + costs[1].seconds;
  Row("kubectl hsm health; kubectl version --client and health", costs[6].seconds, sum,
      "<= + 20 ms", costs[6].seconds <= sum + 0.020);
  std::printf("%-58s %10.3f ms\n", "  kubectl-hsm version, which asks nobody",
              costs[7].seconds * 1e3);
}

// Until `wanted` says that this object is it.
void AwaitChange(cluster::Watch& watch, const std::function<bool(const cluster::Object&)>& wanted) {
  const base::TimePoint until = wall.Now() + kDelivers;
  for (;;) {
    const auto change = Must(watch.Next(until), "watching");
    if (!change) Give("nothing of it is told in time");
    if (change->object && change->type != cluster::ChangeType::kDeleted && wanted(*change->object))
      return;
  }
}

std::unique_ptr<cluster::Watch> WatchFromNow(KubeScene& scene, Kind kind, const std::string& ns) {
  const std::string version = Must(scene.store().List(kind, ns), "listing").version;
  return Must(scene.store().OpenWatch(kind, ns, version), "watching");
}

kube::SecretContent Content(const cluster::Object& owner, const std::string& ns,
                            const std::string& name) {
  kube::SecretContent content;
  content.ns = ns;
  content.name = name;
  content.type = "Opaque";
  content.owner = {
      std::string(cluster::kGroupVersion), "HSMSecret", owner.key().name, owner.uid(), true, true};
  content.labels = {{"app.kubernetes.io/managed-by", "kubectl-hsm"}};
  content.annotations = {{"hsm.j5t.io/device", "hsm-system/payments"}};
  for (const char* key : {"username", "password", "endpoint"})
    content.keys.emplace(key, base::SecretBytes(base::ByteView(rng.Array<64>())));
  return content;
}

double Middle(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void OneDelivery(KubeScene& scene) {
  constexpr int kTimes = 21;
  const auto watch = WatchFromNow(scene, Kind::kSecret, kSystem);
  std::vector<double> delivered;
  std::vector<double> writes;
  for (int i = 0; i < kTimes; ++i) {
    const std::string name = fmt::format("bench-{}", i);
    cluster::Object asked = HsmSecret(kSystem, name);
    delivered.push_back(Time([&] {
      asked = Must(scene.store().Create(asked), "an HSMSecret");
      AwaitChange(*watch, [&](const cluster::Object& secret) { return secret.key().name == name; });
    }));
    writes.push_back(Time([&] {
      Must(scene.writer().Create(Content(asked, kSystem, "written-" + name)), "a Secret");
    }));
    wall.SleepFor(std::chrono::milliseconds(50));
  }
  const double one = Middle(writes);
  Row("HSMSecret created to its Secret there; one write", Middle(delivered), one, "<= 10 x",
      Middle(delivered) <= 10 * one);
}

bool InSync(const cluster::Object& object) {
  return kube::TextIn(object.document(), "/status/syncStatus") == "InSync";
}

// HSMSecrets of a namespace that the device does not allow: each says so, and its Event is written.
std::vector<cluster::Object> AskInVain(KubeScene& scene, const std::string& ns, int count) {
  scene.Ask(ns, count);
  std::vector<cluster::Object> all;
  AwaitThat(
      [&] {
        all = Must(scene.store().List(Kind::kHsmSecret, ns), "HSMSecrets").items;
        const auto events = Must(scene.store().List(Kind::kEvent, ns), "Events").items;
        return static_cast<int>(events.size()) >= count &&
               std::ranges::all_of(all, [](const cluster::Object& one) {
                 return !kube::TextIn(one.document(), "/status/syncStatus").empty();
               });
      },
      "every HSMSecret judged");
  return all;
}

// A Secret and the status of its HSMSecret, as a delivery writes them, by nobody but this client.
double RawPairs(KubeScene& scene, int count) {
  const std::string ns = "raw";
  const auto asked = AskInVain(scene, ns, count);
  scene.cluster().Manager(1).Signal(SIGSTOP);
  const manager::Delivered delivered{{{1, 1}, 1}, "a"};
  std::vector<base::Executor::Task> tasks;
  for (const cluster::Object& one : asked) {
    tasks.push_back([&] {
      Must(scene.writer().Create(Content(one, ns, one.key().name)), "a Secret");
      auto secret = Must(cluster::HSMSecret::FromJson(one.document()), "an HSMSecret");
      secret.status = manager::StatusAfter(secret, "payments", {}, delivered, {},
                                           std::chrono::floor<std::chrono::seconds>(wall.Wall()));
      Must(cluster::SaveStatus(scene.store(), secret), "its status");
    });
  }
  const double seconds = Time([&] { executor.RunAll(std::move(tasks)); });
  (void)scene.cluster().KubectlAnywhere({"delete", "hsmsecrets,secrets", "--all", "-n", ns});
  scene.cluster().Manager(1).Signal(SIGCONT);
  scene.cluster().Until({"health"}, 0, "payments: healthy");
  return seconds;
}

// All become due at once: the device allows their namespace.
double DeliverAll(KubeScene& scene, int count) {
  const std::string ns = "payments";
  (void)scene.cluster().KubectlAnywhere({"create", "namespace", ns});
  scene.cluster().AllowDelivery(ns);
  (void)AskInVain(scene, ns, count);
  const auto watch = WatchFromNow(scene, Kind::kHsmSecret, ns);
  std::set<std::string> done;
  const double before = ProcessorSeconds(scene.cluster().Manager(1).pid());
  const double agent_before = ProcessorSeconds(scene.cluster().Agent("a").pid());
  const double seconds = Time([&] {
    auto device = Must(cluster::Load<cluster::HSMDevice>(scene.store(), kSystem, "payments"), "");
    device.spec.allowed_namespaces = {ns};
    Must(cluster::Save(scene.store(), device), "the device");
    AwaitChange(*watch, [&](const cluster::Object& one) {
      if (InSync(one)) done.insert(one.key().name);
      return static_cast<int>(done.size()) == count;
    });
  });
  std::printf("%-58s %10.0f ms %10.0f ms\n",
              "  processor time of the manager, and of the Primary's agent",
              (ProcessorSeconds(scene.cluster().Manager(1).pid()) - before) * 1e3,
              (ProcessorSeconds(scene.cluster().Agent("a").pid()) - agent_before) * 1e3);
  return seconds;
}

Requests RequestsWithin(KubeScene& scene, base::Duration time) {
  const Requests before = scene.RequestsSoFar();
  wall.SleepFor(time);
  Requests during = scene.RequestsSoFar();
  for (const auto& [name, count] : before) during[name] -= count;
  during["GET "] -= 1;  // the first of these looks
  return during;
}

// The API server asks itself, too: what it does while the manager is stopped is not the manager's.
void Idle(KubeScene& scene, int secrets) {
  wall.SleepFor(kSettle);
  const Requests idle = RequestsWithin(scene, kMeasured);
  const double memory = ResidentMegabytes(scene.cluster().Manager(1).pid());
  scene.cluster().Manager(1).Signal(SIGSTOP);
  const Requests alone = RequestsWithin(scene, kMeasured);
  scene.cluster().Manager(1).Signal(SIGCONT);
  const double seconds = Seconds(kMeasured).count();
  double sum = 0;
  for (const auto& [name, count] : idle) {
    const auto own = alone.find(name);
    const double its = (count - (own == alone.end() ? 0 : own->second)) / seconds;
    sum += its;
    if (its > 0.02) std::printf("  %6.2f /s  %s\n", its, name.c_str());
  }
  RateRow(fmt::format("idle manager, {} HSMSecrets: its requests", secrets), sum, 0, "<= 1 /s",
          sum <= kIdleRequests);
  SizeRow("  its memory", memory, 0, "<= 80 MB", memory <= kManagerMegabytes);
}

}  // namespace

void OnKubernetes(bool quick) {
  const int many = quick ? 200 : 1000;
  KubeScene scene;
  Commands(scene);
  OneDelivery(scene);
  scene.FillDevice(many);
  const double raw = RawPairs(scene, many);
  const double delivered = DeliverAll(scene, many);
  Row(fmt::format("{} HSMSecrets delivered; as many raw pairs of writes", many), delivered, raw,
      "<= 1.5 x", delivered <= 1.5 * raw);
  Idle(scene, many);
}

}  // namespace hsmops::bench
