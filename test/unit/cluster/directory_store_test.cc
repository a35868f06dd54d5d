// What only a folder of files can do wrong: torn files, hand edits, two files with one object,
// kills.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"
#include "test/support/temp_folder.h"

namespace hsmops::cluster {
namespace {

using base::ErrorCode;

constexpr const char* kDevice = R"(# the payments pool
apiVersion: hsm.j5t.io/v1alpha1
kind: HSMDevice
metadata: {name: payments, namespace: hsm-system}
spec:
  maxDevices: 4   # four nodes
)";
constexpr const char* kOther = R"(apiVersion: hsm.j5t.io/v1alpha1
kind: HSMDevice
metadata: {name: keys, namespace: hsm-system}
)";

struct Cluster {
  base::SystemClock clock;
  base::SystemRng rng;
  test::TempFolder folder;
  std::string dir = folder / "c";
  std::unique_ptr<DirectoryResourceStore> store;
  Cluster() {
    REQUIRE(DirectoryResourceStore::Init(dir, rng).ok());
    store = Open();
  }
  std::unique_ptr<DirectoryResourceStore> Open() {
    auto opened = DirectoryResourceStore::Open(dir, clock, rng);
    REQUIRE(opened.ok());
    return *std::move(opened);
  }
  std::string File(const std::string& name) const { return dir + "/hsmdevices/" + name; }
  void Put(const std::string& name, const std::string& text) const {
    test::WriteText(File(name), text);
  }
  std::string Text(const std::string& name) const { return test::ReadText(File(name)); }
  base::Result<HSMDevice> Device(const std::string& name = "payments") {
    return Load<HSMDevice>(*store, "hsm-system", name);
  }
};

template <typename T>
T Must(base::Result<T> result) {
  if (!result.ok()) FAIL(result.error().message());
  return *std::move(result);
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a folder that is none says what to do next") {
  Cluster cluster;
  const auto opened =
      DirectoryResourceStore::Open(cluster.folder / "nowhere", cluster.clock, cluster.rng);
  REQUIRE(opened.Is(ErrorCode::kNotFound));
  CHECK(Has(opened.error().message(), "kubectl hsm init"));
  CHECK(cluster.Device().Is(ErrorCode::kNotFound));
  std::filesystem::remove_all(cluster.dir);
  CHECK(cluster.Device().Is(ErrorCode::kUnavailable));
  CHECK(Load<Lease>(*cluster.store, "hsm-system", "x").Is(ErrorCode::kUnavailable));
}

TEST_CASE("a status never touches the user's file") {
  Cluster cluster;
  cluster.Put("pool.yaml", kDevice);
  HSMDevice device = Must(cluster.Device());
  CHECK(device.spec.max_devices == 4);
  const std::string uid = device.metadata.uid;
  CHECK(uid.size() == 36);
  for (int i = 0; i < 3; ++i) {
    device.status.primary_node = "worker-" + std::to_string(i);
    device = Must(SaveStatus(*cluster.store, device));
    CHECK(device.metadata.uid == uid);
  }
  CHECK(cluster.Text("pool.yaml") == kDevice);
  CHECK(Must(Load<HSMDevice>(*cluster.Open(), "hsm-system", "payments")) == device);
}

TEST_CASE(
    "an edit by hand is a change, a new generation, and beats a writer that has not seen it") {
  Cluster cluster;
  cluster.Put("pool.yaml", kDevice);
  HSMDevice device = Must(cluster.Device());
  device.status.observed_generation = device.metadata.generation;
  device = Must(SaveStatus(*cluster.store, device));
  std::string edited = kDevice;
  edited.replace(edited.find("maxDevices: 4"), 13, "maxDevices: 5");
  cluster.Put("pool.yaml", edited);
  CHECK(Save(*cluster.store, device).Is(ErrorCode::kConflict));
  CHECK(SaveStatus(*cluster.store, device).Is(ErrorCode::kConflict));
  const HSMDevice seen = Must(cluster.Device());
  CHECK(seen.spec.max_devices == 5);
  CHECK(seen.metadata.generation == device.metadata.generation + 1);
  CHECK(seen.status.observed_generation == device.metadata.generation);
}

TEST_CASE("a comment is no change") {
  Cluster cluster;
  cluster.Put("pool.yaml", kDevice);
  const std::string version = Must(cluster.Device()).metadata.resource_version;
  cluster.Put("pool.yaml", std::string("# more to say\n") + kDevice);
  CHECK(Must(cluster.Device()).metadata.resource_version == version);
}

TEST_CASE("a file may hold several documents, foreign ones too, and only one is rewritten") {
  Cluster cluster;
  const std::string foreign =
      "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x} # kept\n";
  cluster.Put("all.yaml", std::string(kDevice) + foreign + "--- # two\n" + kOther);
  CHECK(Must(LoadAll<HSMDevice>(*cluster.store, "")).items.size() == 2);
  HSMDevice keys = Must(cluster.Device("keys"));
  keys.spec.max_devices = 7;
  CHECK(Must(Save(*cluster.store, keys)).spec.max_devices == 7);
  CHECK(cluster.Text("all.yaml").starts_with(std::string(kDevice) + foreign + "---\n"));
  CHECK(Must(cluster.Device("keys")).spec.max_devices == 7);
  REQUIRE(cluster.store->Delete(Kind::kHsmDevice, "hsm-system", "payments", std::nullopt).ok());
  CHECK(cluster.Text("all.yaml").starts_with(foreign));
  REQUIRE(cluster.store->Delete(Kind::kHsmDevice, "hsm-system", "keys", std::nullopt).ok());
  CHECK(cluster.Text("all.yaml") == foreign);
}

TEST_CASE("a List and JSON are read as kubectl reads them") {
  Cluster cluster;
  cluster.Put("list.json", R"({"apiVersion": "v1", "kind": "List", "items": [
	{"apiVersion": "hsm.j5t.io/v1alpha1", "kind": "HSMDevice", "metadata": {"name": "a"}, "spec": {"maxDevices": 2}},
	{"apiVersion": "hsm.j5t.io/v1alpha1", "kind": "HSMDevice", "metadata": {"name": "b"}}]})");
  HSMDevice device = Must(Load<HSMDevice>(*cluster.store, "default", "a"));
  device.spec.max_devices = 3;
  CHECK(Must(Save(*cluster.store, device)).spec.max_devices == 3);
  CHECK(cluster.store->Delete(Kind::kHsmDevice, "default", "a", std::nullopt).ok());
  CHECK(Must(LoadAll<HSMDevice>(*cluster.store, "")).items.size() == 1);
  CHECK(cluster.store->Delete(Kind::kHsmDevice, "default", "b", std::nullopt).ok());
  CHECK_FALSE(std::filesystem::exists(cluster.File("list.json")));
}

TEST_CASE("a torn file is corrupt with its place, and hides nothing that another file holds") {
  Cluster cluster;
  cluster.Put("pool.yaml", kDevice);
  cluster.Put("torn.yaml", std::string(kOther) + "spec:\n  pkcs11: {uri: \"pkcs11:tok\n");
  const auto absent = cluster.Device("keys");
  REQUIRE(absent.Is(ErrorCode::kCorrupt));
  CHECK(Has(absent.error().message(), "torn.yaml: line "));
  CHECK(Has(absent.error().message(), ", column "));
  CHECK(LoadAll<HSMDevice>(*cluster.store, "").Is(ErrorCode::kCorrupt));
  HSMDevice device = Must(cluster.Device());
  device.status.primary_node = "worker-1";
  CHECK(SaveStatus(*cluster.store, device).ok());
  device.metadata.name = "third";
  CHECK(CreateNew(*cluster.store, device).Is(ErrorCode::kCorrupt));
  cluster.Put("torn.yaml", kOther);
  CHECK(LoadAll<HSMDevice>(*cluster.store, "").ok());
}

TEST_CASE("every cut of a file is its whole, another valid file, or corrupt; never a crash") {
  Cluster cluster;
  const std::string text = std::string(kDevice) + "---\n" + kOther;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    cluster.Put("pool.yaml", text.substr(0, size));
    (void)cluster.Device();  // reading it is the test
  }
  CHECK(cluster.Device().ok());
}

TEST_CASE("a torn status is corrupt, not empty") {
  Cluster cluster;
  cluster.Put("pool.yaml", kDevice);
  HSMDevice device = Must(cluster.Device());
  device.status.primary_node = "worker-1";
  device = Must(SaveStatus(*cluster.store, device));
  const std::string path = cluster.dir + "/status/hsmdevices/hsm-system.payments.yaml";
  const std::string whole = test::ReadText(path);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    test::WriteText(path, whole.substr(0, size));
    const auto read = cluster.Device();
    if (read.ok()) CHECK(read->status == device.status);  // the cut fell behind all that counts
  }
  test::WriteText(path, "");
  CHECK(cluster.Device().Is(ErrorCode::kCorrupt));
}

TEST_CASE("two files with one object are an error that names both") {
  Cluster cluster;
  cluster.Put("a.yaml", kDevice);
  cluster.Put("b.yml", std::string(kOther) + "---\n" + kDevice);
  const auto doubled = cluster.Device();
  REQUIRE(doubled.Is(ErrorCode::kInvalid));
  CHECK(Has(doubled.error().message(), "a.yaml"));
  CHECK(Has(doubled.error().message(), "b.yml"));
  CHECK(cluster.Device("keys").ok());
  CHECK_FALSE(LoadAll<HSMDevice>(*cluster.store, "").ok());
  cluster.Put("b.yml", std::string(kOther) + "---\n" + kOther);
  CHECK(Has(cluster.Device("keys").error().message(), "there twice"));
}

TEST_CASE("what belongs elsewhere, and versions nobody knows, are said") {
  Cluster cluster;
  cluster.Put("a.yaml", "apiVersion: hsm.j5t.io/v1alpha1\nkind: HSMSecret\nmetadata: {name: s}\n");
  CHECK(Has(cluster.Device().error().message(), "belongs in the folder hsmsecrets"));
  cluster.Put("a.yaml", "apiVersion: hsm.j5t.io/v2\nkind: HSMDevice\nmetadata: {name: s}\n");
  CHECK(Has(cluster.Device().error().message(), "hsm.j5t.io/v2"));
  cluster.Put("a.yaml", "just text\n");
  CHECK(Has(cluster.Device().error().message(), "a.yaml: line 1: \"just text\" is not a resource"));
  cluster.Put("a.yaml", std::string(kMaxObjectBytes + 1, '#'));
  CHECK(Has(cluster.Device().error().message(), "longer than"));
}

TEST_CASE("a status in the user's file, and a status of an object that is gone, do not count") {
  Cluster cluster;
  cluster.Put("pool.yaml", std::string(kDevice) + "status: {primaryNode: worker-9}\n");
  HSMDevice device = Must(cluster.Device());
  CHECK(device.status.primary_node.empty());
  device.status.primary_node = "worker-1";
  device = Must(SaveStatus(*cluster.store, device));
  std::filesystem::remove(cluster.File("pool.yaml"));
  CHECK(cluster.Device().Is(ErrorCode::kNotFound));
  const HSMDevice made = Must(CreateNew(*cluster.store, device));
  CHECK(made.status == HSMDeviceStatus{});
  CHECK(made.metadata.uid != device.metadata.uid);
}

TEST_CASE("files are 0640 and folders 0750, and a file in the way is not overwritten") {
  Cluster cluster;
  cluster.Put("hsm-system.payments.yaml", "# mine\n");
  HSMDevice device;
  device.metadata.name = "payments";
  device.metadata.ns = "hsm-system";
  CHECK(CreateNew(*cluster.store, device).Is(ErrorCode::kInvalid));
  CHECK(cluster.Text("hsm-system.payments.yaml") == "# mine\n");
  device.metadata.name = "free";
  device = Must(CreateNew(*cluster.store, device));
  (void)Must(SaveStatus(*cluster.store, device));
  const mode_t mask = umask(0);
  umask(mask);
  struct stat st{};
  REQUIRE(stat(cluster.File("hsm-system.free.yaml").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == (0640 & ~mask));
  REQUIRE(stat((cluster.dir + "/status/hsmdevices").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == (0750 & ~mask));
}

TEST_CASE("a writer that is killed leaves the old state or the new") {
  Cluster cluster;
  HSMDevice device;
  device.metadata.name = "payments";
  device.metadata.ns = "hsm-system";
  device.spec.allowed_namespaces = {"n0"};
  (void)Must(CreateNew(*cluster.store, device));
  int last = 0;
  for (int round = 0; round < 40; ++round) {
    int begun[2];
    REQUIRE(pipe(begun) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto store = DirectoryResourceStore::Open(cluster.dir, cluster.clock, cluster.rng);
      for (int i = last + 1; store.ok(); ++i) {
        auto mine = Load<HSMDevice>(**store, "hsm-system", "payments");
        if (!mine.ok()) _exit(2);
        if (write(begun[1], "x", 1) != 1) _exit(7);
        mine->spec.allowed_namespaces.assign(static_cast<std::size_t>(1 + i % 50),
                                             "n" + std::to_string(i));
        if (!Save(**store, *mine).ok()) _exit(3);
        mine = Load<HSMDevice>(**store, "hsm-system", "payments");
        if (!mine.ok()) _exit(4);
        mine->status.position = std::to_string(i);
        if (!SaveStatus(**store, *mine).ok()) _exit(5);
      }
      _exit(6);
    }
    char byte = 0;
    for (int i = 0; i < 2; ++i) REQUIRE(read(begun[0], &byte, 1) == 1);
    const auto until = cluster.clock.Now() + std::chrono::microseconds(37 * round);
    while (cluster.clock.Now() < until) {  // so that it dies elsewhere each time
    }
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    close(begun[0]);
    close(begun[1]);
    const HSMDevice seen = Must(cluster.Device());
    const auto& names = seen.spec.allowed_namespaces;
    const int value = std::stoi(names.front().substr(1));
    CHECK(value >= last);
    CHECK((value == 0 || names.size() == static_cast<std::size_t>(1 + value % 50)));
    const int written = seen.status.position.empty() ? 0 : std::stoi(seen.status.position);
    CHECK((written == value || written == value - 1 || written == last));
    last = value;
  }
  CHECK(last > 0);
}

TEST_CASE("a watch follows editors: rename over, a torn file in between, a folder replaced") {
  Cluster cluster;
  cluster.Put("pool.yaml", kDevice);
  auto watch = Must(cluster.store->OpenWatch(Kind::kHsmDevice, "", ""));
  const auto next = [&] {
    auto change = Must(watch->Next(cluster.clock.Now() + std::chrono::seconds(20)));
    REQUIRE(change.has_value());
    return *std::move(change);
  };
  CHECK(next().type == ChangeType::kAdded);

  std::string edited = kDevice;
  edited.replace(edited.find("maxDevices: 4"), 13, "maxDevices: 5");
  test::WriteText(cluster.dir + "/edit.tmp", edited);
  std::filesystem::rename(cluster.dir + "/edit.tmp", cluster.File("pool.yaml"));
  CHECK(next().type == ChangeType::kModified);

  cluster.Put("pool.yaml", "a: [");
  for (;;) {  // an editor's own writing may be seen as one look or two
    const auto torn = watch->Next(cluster.clock.Now() + std::chrono::seconds(20));
    if (torn.Is(ErrorCode::kCorrupt)) break;
    REQUIRE((torn.ok() && torn->has_value()));
    CHECK((*torn)->type != ChangeType::kDeleted);
  }
  cluster.Put("pool.yaml", kDevice);
  CHECK(next().type == ChangeType::kModified);

  std::filesystem::rename(cluster.dir + "/hsmdevices", cluster.dir + "/away");
  std::filesystem::create_directory(cluster.dir + "/hsmdevices");
  cluster.Put("other.yaml", kOther);
  std::set<std::string> told;
  while (told.size() < 2) {
    const auto change = watch->Next(cluster.clock.Now() + std::chrono::seconds(20));
    if (change.Is(ErrorCode::kUnavailable)) continue;  // looked while there was no folder
    REQUIRE((change.ok() && change->has_value()));
    told.insert((*change)->object->key().name +
                ((*change)->type == ChangeType::kDeleted ? " deleted" : " added"));
  }
  CHECK(told == std::set<std::string>{"payments deleted", "keys added"});
}

}  // namespace hsmops::cluster
