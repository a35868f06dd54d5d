// The shape of -o json, verb by verb: the object that the API serves, with what the table shows
// (docs/cli.md). A path names a place as jsonpath does; after it stands the type.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "test/support/process.h"
#include "test/support/temp_folder.h"

namespace {

using hsmops::test::CliPath;
using hsmops::test::Ended;
using hsmops::test::TempFolder;
using nlohmann::json;

struct Cluster {
  TempFolder folder;

  Cluster() {
    REQUIRE(Run({"init", "--nodes", "a,b,c"}).code == 0);
    REQUIRE(Run({"put", "app/db", "--stdin-key", "password"}, "value").code == 0);
  }
  Ended Run(const std::vector<std::string>& words, const std::string& input = {}) const {
    std::vector<std::string> argv{CliPath()};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.insert(argv.end(), {"--local", folder / "c"});
    hsmops::test::ProcessOptions options;
    options.input = input;
    return hsmops::test::Run(argv, options);
  }
};

bool Is(const json& value, const std::string& type) {
  if (type == "string") return value.is_string() && !value.get<std::string>().empty();
  if (type == "number") return value.is_number_integer();
  if (type == "bool") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "time") return value.is_string() && value.get<std::string>().ends_with("Z");
  return value.is_string() && value.get<std::string>() == type;  // a word stands for itself
}

// "status.devices.nodeName string": in an array, every element must have it, and there must be one.
void Check(const json& value, const std::string& path, const std::string& type,
           const std::string& context) {
  if (path.empty() && (type == "array" || !value.is_array())) {
    CHECK_MESSAGE(Is(value, type), context << ": " << value.dump() << " is no " << type);
    return;
  }
  if (value.is_array()) {
    CHECK_MESSAGE(!value.empty(), context << ": empty before " << path);
    for (const json& one : value) Check(one, path, type, context);
    return;
  }
  const std::size_t dot = path.find('.');
  const std::string head = path.substr(0, dot);
  if (!value.is_object() || !value.contains(head)) {
    FAIL_CHECK(context << ": no " << head << " in " << value.dump().substr(0, 300));
    return;
  }
  Check(value.at(head), dot == std::string::npos ? "" : path.substr(dot + 1), type, context);
}

void Shape(const Ended& ended, int code, const std::string& lines) {
  REQUIRE_MESSAGE(ended.code == code, ended.out << ended.err);
  const json document = json::parse(ended.out, nullptr, false);
  REQUIRE_MESSAGE(!document.is_discarded(), ended.out);
  std::istringstream in(lines);
  for (std::string path, type; in >> path >> type;) Check(document, path, type, path);
}

constexpr const char* kDevice = R"(
    apiVersion hsm.j5t.io/v1alpha1   kind HSMDevice   metadata.name local   metadata.namespace default
    spec.mirroring.policy ReadOnly   spec.mirroring.primaryNode a
    status.phase string   status.epoch.counter number   status.primaryNode a   status.failureTolerance number
    status.devices.nodeName string   status.devices.role string   status.devices.health string
    status.devices.available bool    status.devices.serialNumber string
    status.devices.lag.versions number   status.devices.pin string   status.devices.position string
    status.devices.inSync bool
    status.conditions.type string   status.conditions.status string)";

constexpr const char* kOperation = R"(
    apiVersion hsm.j5t.io/v1alpha1   kind HSMOperation   metadata.name string
    spec.deviceRef.name local        spec.type string
    status.phase string   status.startedAt time   status.completedAt time   status.message string)";

constexpr const char* kSecret = R"(
    apiVersion live.hsm.j5t.io/v1alpha1   kind MirroredSecret   metadata.name local:app:db
    spec.name app/db   status.version string)";

}  // namespace

TEST_CASE("json: health, status, check and history print the HSMDevice") {
  const Cluster on;
  for (const char* verb : {"health", "status", "check"})
    Shape(on.Run({verb, "-o", "json"}), 0, kDevice);
  Shape(on.Run({"promote", "--to", "b", "--yes", "-o", "json"}), 0, kOperation);
  Shape(on.Run({"history", "-o", "json"}), 0,
        "kind HSMDevice status.history.outcome Succeeded status.history.time time "
        "status.history.to b status.history.from a status.history.epoch number");
}

TEST_CASE("json: the history of a device of which nobody has written a status is empty") {
  const TempFolder folder;
  const Ended made =
      hsmops::test::Run({CliPath(), "--local", folder / "c", "init", "--nodes", "a"});
  REQUIRE(made.code == 0);
  Shape(hsmops::test::Run({CliPath(), "--local", folder / "c", "history", "-o", "json"}), 0,
        "kind HSMDevice status.history array");
}

TEST_CASE("json: status counts the secrets") {
  const Cluster on;
  Shape(on.Run({"status", "-o", "json"}), 0, R"(
      status.secrets.total number      status.secrets.full number         status.secrets.partial number
      status.secrets.diverged number   status.secrets.unreplicated number)");
  const json counts = json::parse(on.Run({"status", "-o", "json"}).out)["status"]["secrets"];
  CHECK(counts["total"] == 1);
  CHECK(counts["full"] == 1);
  CHECK(counts["partial"] == 0);
}

TEST_CASE("json: a finding says how bad it is, of what, why, and what to do") {
  const Cluster on;
  std::filesystem::remove_all(on.folder / "c/tokens/default.local/a/tokens");
  std::filesystem::create_directory(on.folder / "c/tokens/default.local/a/tokens");
  Shape(on.Run({"health", "-o", "json"}), 3, R"(
      status.findings.severity string   status.findings.subject string   status.findings.reason string
      status.findings.message string    status.findings.nextStep string)");
}

TEST_CASE("json: list, get, put and delete print MirroredSecrets, and values only when told to") {
  const Cluster on;
  Shape(on.Run({"list", "-o", "json"}), 0, R"(
      kind List   items.kind MirroredSecret   items.spec.name app/db   items.spec.keys string
      items.status.coverage full   items.status.version string   items.status.lastSyncTime time
      items.status.devices.nodeName string   items.status.devices.state InSync)");
  const Ended hidden = on.Run({"get", "app/db", "-o", "json"});
  Shape(hidden, 0, kSecret);
  CHECK(!json::parse(hidden.out).contains("data"));
  const Ended shown = on.Run({"get", "app/db", "--reveal", "-o", "json"});
  Shape(shown, 0, std::string(kSecret) + " data.password dmFsdWU=");
  Shape(on.Run({"put", "app/db", "--stdin-key", "password", "-o", "json"}, "x"), 0, kSecret);
  const Ended merged =
      on.Run({"put", "app/db", "--stdin-key", "more", "--merge", "-o", "json"}, "x");
  Shape(merged, 0, "kind MirroredSecret status.version string");
  CHECK(!json::parse(merged.out)["spec"].contains("keys"));  // nobody read the others
  Shape(on.Run({"delete", "app/db", "--yes", "-o", "json"}), 0, kSecret);
}

TEST_CASE("json: whatever acts prints its HSMOperation") {
  const Cluster on;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"sync"},
                                             {"pause", "--reason", "x"},
                                             {"resume"},
                                             {"ack"},
                                             {"reinit", "--node", "c", "--yes"},
                                             {"promote", "--to", "b"}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"-o", "json"});
    CAPTURE(words.front());
    Shape(on.Run(all), 0, kOperation);
  }
  Shape(on.Run({"operation", "list", "-o", "json"}), 0,
        "kind List items.kind HSMOperation items.status.phase string");
}

TEST_CASE("json: a dry run prints the HSMOperation that nobody begins") {
  const Cluster on;
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"sync"}, {"promote", "--to", "b"}, {"failover", "--accept-loss"}, {"adopt"}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--dry-run", "-o", "json"});
    Shape(on.Run(all), 0,
          "kind HSMOperation\nspec.type string\nspec.dryRun bool\n"
          "status.result DryRun\nstatus.message string");
    CHECK(on.Run({"operation", "list", "-o", "name"}).out.empty());
  }
}

TEST_CASE("json: -o yaml and -o name say the same object") {
  const Cluster on;
  CHECK(on.Run({"status", "-o", "name"}).out == "hsmdevice.hsm.j5t.io/local\n");
  const std::string yaml = on.Run({"status", "-o", "yaml"}).out;
  for (const char* line : {"kind: HSMDevice\n", "  name: local\n", "  primaryNode: a\n"})
    CHECK_MESSAGE(yaml.find(line) != std::string::npos, yaml);
}
