// Every form of a kubeconfig, as a person has it, against a real API server; and what is said where
// one does not work.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "libhsmops/base/encoding.h"
#include "test/kube/connect_proxy.h"
#include "test/kube/shared_server.h"
#include "test/support/socket.h"
#include "test/support/text.h"

namespace hsmops::test {
namespace {

std::string Base64Of(const std::string& path) {
  const std::string text = ReadText(path);
  return base::Base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// Files of a case, and the command line with nothing but what the case gives it.
struct Person {
  SharedServer& shared = SharedServer::The();
  Network::Visit there{shared.network, "client"};
  TempFolder folder;
  std::map<std::string, std::string> env{{"HOME", folder.path()}, {"KUBECONFIG", ""}};

  std::string Cluster(const std::string& more = {}) {
    return fmt::format(
        "clusters:\n- name: c\n  cluster:\n    server: {}\n    certificate-authority: {}\n{}",
        shared.server.url(), shared.server.CaFile(), more);
  }
  static std::string User(const std::string& fields) {
    return "users:\n- name: u\n  user: {" + fields + "}\n";
  }
  static std::string Head() {
    return "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
           "contexts:\n- name: x\n  context: {cluster: c, user: u, namespace: default}\n";
  }
  std::string Write(const std::string& name, const std::string& text) {
    WriteText(folder / name, text);
    return folder / name;
  }
  std::string Script(const std::string& name, const std::string& text) {
    const std::string path = Write(name, "#!/bin/sh\n" + text);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  Ended Hsm(std::vector<std::string> words) {
    words.insert(words.begin(), CliPath());
    words.insert(words.end(), {"operation", "list"});
    return Run(std::move(words), {.env = env});
  }
  Ended With(const std::string& user, const std::string& cluster = {}) {
    const std::string file =
        Write("config", Head() + (cluster.empty() ? Cluster() : cluster) + User(user));
    return Hsm({"--kubeconfig", file, "--request-timeout", "3s"});
  }
  std::string Exec(const std::string& command, const std::string& mode = "IfAvailable") {
    return fmt::format(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, interactiveMode: {}}}",
        command, mode);
  }
};

void Reaches(const Ended& ended) {
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK_MESSAGE(Holds(ended.err, "no operations"), ended.err);
}

// The command line as in a pod: a token, a CA and a namespace where the kubelet puts them. In a
// mount namespace of its own, so the machine's /run has none of it.
struct Pod {
  Person& person;
  std::string token;
  std::string ca = person.shared.server.CaFile();

  Ended Hsm(const std::string& words = {}) {
    person.Write("sa-token", token);
    const std::string script = fmt::format(
        "set -e; mount -t tmpfs none /run; there=/var/run/secrets/kubernetes.io/serviceaccount\n"
        "mkdir -p $there; cp {0}/sa-token $there/token; cp {1} $there/ca.crt\n"
        "printf in-pod > $there/namespace; exec {2} {3} operation list",
        person.folder.path(), ca, CliPath(), words);
    std::map<std::string, std::string> env = person.env;
    env["KUBERNETES_SERVICE_HOST"] = person.shared.network.AddressOf("api");
    env["KUBERNETES_SERVICE_PORT"] = "6443";
    return Run({"unshare", "--mount", "sh", "-c", script}, {.env = env});
  }
};

// One clear line, exit 1.
void Refuses(const Ended& ended, const std::string& says) {
  CHECK_MESSAGE(ended.code == 1, ended.out, ended.err);
  CHECK_MESSAGE(ended.err.starts_with("error: "), ended.err);
  CHECK_MESSAGE(std::ranges::count(ended.err, '\n') == 1, ended.err);
  CHECK_MESSAGE(Holds(ended.err, says), ended.err);
}

constexpr const char* kCredential =
    R"(echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",)"
    R"("status":{"token":"token-of-admin"}}')";

}  // namespace

TEST_CASE("kubeconfig: each way to prove who one is") {
  Person person;
  Reaches(person.With("token: token-of-admin"));
  Reaches(person.With("tokenFile: " + person.Write("token", "token-of-admin\n")));
  const std::string cert = person.shared.server.ClientCertificate("kim", "system:masters");
  Reaches(person.With(fmt::format("client-certificate: {0}.crt, client-key: {0}.key", cert)));
  Reaches(person.With(fmt::format("client-certificate-data: {}, client-key-data: {}",
                                  Base64Of(cert + ".crt"), Base64Of(cert + ".key"))));
  Reaches(person.With(person.Exec(person.Script("plugin", kCredential))));
  Reaches(person.With("token: token-of-admin, as: someone, as-groups: [system:masters]"));
}

TEST_CASE("kubeconfig: each way to say where it is") {
  Person person;
  const std::string user = Person::User("token: token-of-admin");
  const std::string data = fmt::format(
      "clusters:\n- name: c\n  cluster: {{server: '{}', certificate-authority-data: {}}}\n",
      person.shared.server.url(), Base64Of(person.shared.server.CaFile()));
  Reaches(person.With("token: token-of-admin", data));
  Reaches(person.With("token: token-of-admin",
                      person.Cluster("    tls-server-name: kubernetes.default\n")));
  // A list of files, of which one is not there; and the one of the home folder.
  person.env["KUBECONFIG"] =
      fmt::format("{}:{}:{}", person.Write("one", Person::Head() + user), person.folder / "none",
                  person.Write("two", person.Cluster()));
  Reaches(person.Hsm({}));
  person.env["KUBECONFIG"] = "";
  std::filesystem::create_directory(person.folder / ".kube");
  person.Write(".kube/config", Person::Head() + person.Cluster() + user);
  Reaches(person.Hsm({}));
  person.Write(".kube/config", "");
  Reaches(person.Hsm({"--server", person.shared.server.url(), "--token", "token-of-admin",
                      "--certificate-authority", person.shared.server.CaFile()}));
  Reaches(person.Hsm(
      {"-s", person.shared.server.url(), "--token=token-of-admin", "--insecure-skip-tls-verify"}));
}

TEST_CASE("kubeconfig: what does not work is told in one line") {
  Person person;
  Refuses(person.With("token: wrong"), "401");
  Refuses(person.With("tokenFile: /nowhere/token"), "/nowhere/token");
  const std::string old = person.shared.server.ClientCertificate("old", "system:masters", -1);
  Refuses(person.With(fmt::format("client-certificate: {0}.crt, client-key: {0}.key", old)),
          "expired");
  Refuses(person.With(person.Exec(person.Script("rubbish", "echo hello"))), "rubbish");
  const Ended fails = person.With(person.Exec(person.Script("fails", "echo no >&2; exit 3")));
  CHECK(fails.code == 1);
  CHECK_MESSAGE(Holds(fails.err, "it ended with 3"), fails.err);  // after its own words
  Refuses(person.With(person.Exec("/nowhere/plugin")), "/nowhere/plugin");
  Refuses(person.With(person.Exec(person.Script("asks", kCredential), "Always")), "terminal");
  const auto began = std::chrono::steady_clock::now();
  Refuses(person.With(person.Exec(person.Script("hangs", "exec sleep 60"))), "hangs");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  const std::string other = fmt::format(
      "clusters:\n- name: c\n  cluster: {{server: '{}', certificate-authority: {}.crt}}\n",
      person.shared.server.url(), old);
  Refuses(person.With("token: token-of-admin", other), "certificate");
  Refuses(person.With("token: token-of-admin",
                      "clusters:\n- name: c\n  cluster: {server: 'https://127.0.0.1:1'}\n"),
          "127.0.0.1:1");
  Refuses(person.Hsm({"--kubeconfig", "/nowhere/config"}), "/nowhere/config");
  Refuses(person.Hsm({"--kubeconfig", person.Write("broken", "a: [")}), "broken");
  Refuses(person.Hsm({"--context", "prod"}), "prod");
}

TEST_CASE("kubeconfig: proxy-url is the only way") {
  Person person;
  // There is an API server at that address where the proxy is, and none where the client is.
  const auto through = [&](const std::string& proxy) {
    return person.With(
        "token: token-of-admin",
        fmt::format("clusters:\n- name: c\n  cluster: {{server: 'https://127.0.0.1:6443', "
                    "certificate-authority: {}, proxy-url: '{}'}}\n",
                    person.shared.server.CaFile(), proxy));
  };
  ConnectProxy open(person.shared.network, "api");
  Reaches(through("http://" + open.address()));
  CHECK(open.LastAsked() == "CONNECT 127.0.0.1:6443 HTTP/1.1");
  ConnectProxy guarded(person.shared.network, "api", "Basic a2ltOnMzY3JldA==");
  Reaches(through("http://kim:s3cret@" + guarded.address()));
  const Ended refused = through("http://kim:wr0ng@" + guarded.address());
  Refuses(refused, "407");
  CHECK(!Holds(refused.err, "wr0ng"));
  Refuses(through("http://127.0.0.1:1"), "127.0.0.1");
}

TEST_CASE("in a pod: the service account, its namespace, and nothing where a kubeconfig is") {
  Person person;
  ApiServer& server = person.shared.server;
  server.Must({"create", "namespace", "in-pod"});
  server.Must({"create", "serviceaccount", "reader", "-n", "in-pod"});
  server.Must({"create", "role", "reader", "-n", "in-pod", "--verb=list",
               "--resource=hsmoperations.hsm.j5t.io"});
  server.Must({"create", "rolebinding", "reader", "-n", "in-pod", "--role=reader",
               "--serviceaccount=in-pod:reader"});
  Pod pod{person, server.Must({"create", "token", "reader", "-n", "in-pod"})};
  Reaches(pod.Hsm());
  Refuses(pod.Hsm("-n default"), "system:serviceaccount:in-pod:reader");
  const std::string alice = person.Write(
      "alice", Person::Head() + person.Cluster() + Person::User("token: token-of-alice"));
  Refuses(pod.Hsm("--kubeconfig " + alice), "User \"alice\" cannot list");
  Refuses(Pod{person, "rubbish"}.Hsm(), "401");
  Refuses(Pod{person, pod.token, server.ProxyCertificate("other") + ".crt"}.Hsm(), "certificate");
  server.Must({"delete", "namespace", "in-pod", "--wait=false"});
}

TEST_CASE("kubeconfig: where an authority is named, those of the machine are not believed") {
  Person person;
  const std::string config =
      person.Write("config", Person::Head() + Person::User("token: token-of-admin") +
                                 fmt::format("clusters:\n- name: c\n  cluster: {{server: '{}'}}\n",
                                             person.shared.server.url()));
  // The API server's own is one of the machine's, in a mount namespace of its own.
  const auto with = [&](const std::string& named) {
    const std::string script = fmt::format(
        "set -e; mount -t tmpfs none /etc/ssl/certs\n"
        "cp {0} /etc/ssl/certs/ca-certificates.crt\n"
        "cp {0} /etc/ssl/certs/$(openssl x509 -in {0} -noout -hash).0\n"
        "exec {1} --kubeconfig {2} {3} operation list",
        person.shared.server.CaFile(), CliPath(), config, named);
    return Run({"unshare", "--mount", "sh", "-c", script}, {.env = person.env});
  };
  Reaches(with(""));
  Refuses(
      with("--certificate-authority " + person.shared.server.ProxyCertificate("other") + ".crt"),
      "certificate");
}

TEST_CASE("a server that accepts and never answers costs --request-timeout") {
  Person person;
  std::string address;
  const int listener = Listen(person.shared.network.AddressOf("client"), address);
  for (const char* const scheme : {"https", "http"}) {
    CAPTURE(scheme);
    const auto began = std::chrono::steady_clock::now();
    Refuses(person.Hsm({"--server", fmt::format("{}://{}", scheme, address), "--token", "t",
                        "--request-timeout", "2s"}),
            address);
    const auto took = std::chrono::steady_clock::now() - began;
    CHECK(took > std::chrono::milliseconds(1900));
    CHECK(took < std::chrono::seconds(4));
  }
  close(listener);
}

TEST_CASE(
    "an exec plugin that asks where nobody can answer is told so, and reads nothing of ours") {
  Person person;
  const std::string asks =
      person.Script("asks",
                    "echo 'PIN?' >&2\nread -r pin || exec echo 'nobody answers' >&2\n"
                    "echo \"read $pin\" >&2\nexec sleep 60\n");
  const std::string config =
      person.Write("config", Person::Head() + person.Cluster() + Person::User(person.Exec(asks)));
  const auto began = std::chrono::steady_clock::now();
  const Ended ended = Run({CliPath(), "--kubeconfig", config, "operation", "list"},
                          {.env = person.env, .input = "what is for us\n"});
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
  CHECK(ended.code == 1);
  CHECK_MESSAGE(ended.err.starts_with("PIN?\nnobody answers\nerror: exec plugin "), ended.err);
  CHECK_MESSAGE(std::ranges::count(ended.err, '\n') == 3, ended.err);
}

TEST_CASE("a token of the command line is in no trace and no process list") {
  Person person;
  const Ended traced =
      person.Hsm({"--server", person.shared.server.url(), "--token", "token-of-admin",
                  "--certificate-authority", person.shared.server.CaFile(), "-v", "9"});
  Reaches(traced);
  CHECK_MESSAGE(Holds(traced.err, "GET " + person.shared.server.url() + "/apis/hsm.j5t.io/"),
                traced.err);
  CHECK_MESSAGE(!Holds(traced.err, "token-of-admin"), traced.err);
  // One that waits: nobody answers there.
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--token", "s3cret-token"}, {"--token=s3cret-token"}}) {
    std::vector<std::string> argv{CliPath(), "--server", "https://10.77.0.250:6443",
                                  "--request-timeout", "20s"};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.insert(argv.end(), {"operation", "list"});
    Process waiting(argv, {.env = person.env});
    const std::string path = fmt::format("/proc/{}/cmdline", waiting.pid());
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string line;
    do {
      line = ReadText(path);
    } while (!Holds(line, "****") && std::chrono::steady_clock::now() < limit);
    CHECK_MESSAGE(Holds(line, "****"), line);
    CHECK_MESSAGE(!Holds(line, "s3cret-token"), line);
  }
}

TEST_CASE("rbac: who may not is told which verb on which resource, and how to see it") {
  Person person;
  Refuses(person.With("token: token-of-alice"),
          "kubectl auth can-i list hsmoperations.hsm.j5t.io -n default");
}

TEST_CASE("a CustomResourceDefinition that is gone is no absence of objects") {
  Network network({"api", "client"});
  ApiServer server(network, "api");
  const Network::Visit there(network, "client");
  const std::string config = server.Kubeconfig("admin");
  for (const char* const verb : {"health", "status", "history"}) {
    const Ended ended = Run({CliPath(), "--kubeconfig", config, verb});
    CHECK_MESSAGE(ended.code == 1, ended.err);
    CHECK_MESSAGE(Holds(ended.err, "does not serve hsmdevices.hsm.j5t.io"), ended.err);
  }
}

}  // namespace hsmops::test
