// HSMSecrets and the Secrets that are made of them, on a real API server.
#include <doctest/doctest.h>

#include <csignal>
#include <thread>

#include "test/kube/delivery_scene.h"
#include "test/support/text.h"

namespace hsmops::test {
namespace {

const std::string kStatus = "{.status.syncStatus}";
const std::string kReady = R"({.status.conditions[?(@.type=="Ready")].reason})";
const std::string kStale = R"({.status.conditions[?(@.type=="Stale")].status})";

}  // namespace

TEST_CASE("an HSMSecret is delivered, follows the device, is put right, and goes with its owner") {
  DeliveryScene scene;
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Delivers("hunter2"));
  CHECK(scene.Becomes("hsmsecret", kStatus, "InSync"));
  CHECK(scene.Field("hsmsecret", "{.status.version}").starts_with("1."));
  CHECK(scene.Field("hsmsecret", "{.status.servedFrom}") == "a");
  CHECK(scene.Field("secret", "{.metadata.ownerReferences[0].kind}") == "HSMSecret");
  const std::string columns =
      scene.cluster.Kubectl({"get", "hsmsecret", "-o",
                             "custom-columns=NAME:.metadata.name,STATUS:.status.syncStatus,LAST-"
                             "SYNC:.status.lastSyncTime"});
  CHECK_MESSAGE((Holds(columns, "InSync") && !Holds(columns, "<none>")), columns);
  CHECK(Holds(scene.cluster.Hsm({"list"}, "viewer").out, "hsm-system/db"));

  scene.Put("changed");
  CHECK(scene.Delivers("changed"));
  // A key that the device does not have goes; what somebody wrote by hand is put right.
  scene.cluster.Kubectl({"patch", "secret", "db", "--type=merge", "-p",
                         R"({"data":{"password":"eA==","other":"eA=="}})"});
  CHECK(scene.Delivers("changed"));
  CHECK(scene.Field("secret", "{.data.other}").empty());
  scene.cluster.Kubectl({"delete", "secret", "db"});
  CHECK(scene.Delivers("changed"));
  const std::string before = scene.Field("hsmsecret", "{.status.lastSyncTime}");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  scene.cluster.Kubectl({"annotate", "hsmsecret", "db", "hsm.j5t.io/force-sync=1"});
  CHECK(scene.Becomes("hsmsecret", "{.status.lastForceSync}", "1"));
  CHECK(scene.Field("hsmsecret", "{.status.lastSyncTime}") != before);

  CHECK(scene.cluster.Hsm({"delete", "app/db", "--yes"}, "owner").code == 0);
  CHECK(scene.Becomes("hsmsecret", kStatus, "Error"));
  CHECK(scene.Becomes("hsmsecret", kStale, "True"));
  CHECK(scene.Delivers("changed"));  // Retain
  scene.cluster.Kubectl({"patch", "hsmsecret", "db", "--type=merge", "-p",
                         R"({"spec":{"deletionPolicy":"Delete"}})"});
  CHECK(scene.Becomes("secret", "{.data.password}", ""));
}

TEST_CASE("a Secret of somebody else is not touched, unless it is adopted") {
  DeliveryScene scene;
  scene.cluster.Kubectl({"create", "secret", "generic", "db", "--from-literal=mine=1"});
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Becomes("hsmsecret", kReady, "ForeignSecret"));
  CHECK(scene.Field("secret", "{.data.mine}") == "MQ==");
  CHECK(scene.Field("secret", "{.data.password}").empty());
  bool told = false;
  for (int i = 0; i < 50 && !told; ++i) {
    told = Holds(scene.cluster.Kubectl({"get", "events", "--field-selector", "reason=Conflict"}),
                 "not ours");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  CHECK(told);
  scene.Apply("{hsmPath: app/db, adopt: true}");
  CHECK(scene.Delivers("hunter2"));
  CHECK(scene.Field("secret", "{.data.mine}").empty());
}

TEST_CASE("a Secret that somebody keeps changing back is written again, and slower each time") {
  DeliveryScene scene;
  scene.Apply("{hsmPath: app/db}");
  REQUIRE(scene.Delivers("hunter2"));
  const auto reason = [&] {
    return scene.Field("hsmsecret", R"({.status.conditions[?(@.type=="Synced")].reason})");
  };
  bool contended = false;
  for (int i = 0; i < 40 && !contended; ++i) {
    scene.cluster.Kubectl({"patch", "secret", "db", "-p", R"({"data":{"password":"eA=="}})"});
    contended = reason() == "Contended";
  }
  CHECK(contended);
  // What is new goes out at once, and who asks is heard.
  scene.Put("hunter3");
  CHECK(scene.Delivers("hunter3"));
  CHECK(scene.Becomes("hsmsecret", kStatus, "InSync"));
}

// The CRD has no greatest number, and our type has.
TEST_CASE("an HSMSecret that no reader accepts says so in its status") {
  DeliveryScene scene;
  scene.Apply("{hsmPath: app/db, syncInterval: 3000000000}");
  CHECK(scene.Becomes("hsmsecret", "{.status.syncStatus}", "Error"));
  CHECK(Holds(scene.Field("hsmsecret", "{.status.lastError}"), "spec.syncInterval"));
}

TEST_CASE("a Secret of a type whose keys the secret has not: the status names them") {
  DeliveryScene scene;
  scene.Apply("{hsmPath: app/db, secretType: kubernetes.io/tls}");
  CHECK(scene.Becomes("hsmsecret", "{.status.syncStatus}", "Error"));
  CHECK(Holds(scene.Field("hsmsecret", "{.status.lastError}"), "wants tls.crt and tls.key"));
}

TEST_CASE("a namespace that the device does not allow gets a condition and no value") {
  DeliveryScene scene;
  scene.cluster.KubectlAnywhere({"create", "namespace", "payments"});
  scene.cluster.AllowDelivery("payments");
  scene.Apply("{hsmPath: app/db}", "db", "payments");
  CHECK(scene.Becomes("hsmsecret", kReady, "NamespaceNotAllowed", "db", "payments"));
  CHECK(scene.Field("secret", "{.data.password}", "db", "payments").empty());
  scene.cluster.Kubectl({"patch", "hsmdevice", "payments", "--type=merge", "-p",
                         R"({"spec":{"allowedNamespaces":["payments"]}})"});
  CHECK(scene.Delivers("hunter2", "db", "payments"));
}

TEST_CASE("an outage keeps the last value; a mirror serves while the Primary is gone") {
  DeliveryScene scene({"a", "b", "c"}, 2);
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Delivers("hunter2"));
  scene.cluster.Agent("a").Signal(SIGKILL);
  scene.Apply("{hsmPath: app/db}", "more");
  CHECK(scene.Delivers("hunter2", "more"));
  scene.cluster.Agent("b").Signal(SIGKILL);
  scene.cluster.Agent("c").Signal(SIGKILL);
  CHECK(scene.Becomes("hsmsecret", kStale, "True"));
  CHECK(scene.Becomes("hsmsecret", kStatus, "OutOfSync"));
  CHECK(scene.Delivers("hunter2"));
  scene.cluster.StartAgent("b");
  scene.cluster.StartAgent("c");
  CHECK(scene.Becomes("hsmsecret", kStatus, "InSync"));
}

TEST_CASE(
    "etcd is put back to before the last delivery: the Secret gets what the device holds now") {
  DeliveryScene scene;
  ApiServer& api = scene.cluster.api();
  scene.Apply("{hsmPath: app/db}");
  REQUIRE(scene.Delivers("hunter2"));
  REQUIRE(scene.Becomes("hsmsecret", kStatus, "InSync"));
  api.Stop();
  api.KeepRecord();
  api.Start();
  scene.cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  scene.Put("after");
  REQUIRE(scene.Delivers("after"));
  api.AgeRecord(3000);
  api.Stop();
  api.PutRecordBack();
  api.Start();
  scene.cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  // Once more where the watch has to be waited for.
  CHECK((scene.Delivers("after") || scene.Delivers("after")));
}

}  // namespace hsmops::test
