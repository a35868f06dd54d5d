#include "test/kube/api_server.h"

#include <curl/curl.h>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace hsmops::test {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kPort = 6443;
constexpr const char* kEtcd = "http://127.0.0.1:2379";
constexpr const char* kEtcdPeers = "http://127.0.0.1:2380";
constexpr seconds kReadyWithin{90};

void OpenSsl(const std::string& folder, std::vector<std::string> words) {
  words.insert(words.begin(), "openssl");
  const Ended ended = Run(std::move(words), {.env = {}, .folder = folder, .input = {}});
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
}

}  // namespace

std::string ServerProgram(const std::string& name) {
  const char* const folder = std::getenv("HSMOPS_SERVERS");
  REQUIRE_MESSAGE(folder != nullptr, "run this by ./dev test kube, which builds what it starts");
  return fmt::format("{}/{}", folder, name);
}

ApiServer::ApiServer(const Network& network, std::string node)
    : network_(network), node_(std::move(node)) {
  MakeCertificates();
  MakeTokens();
  Start();
}

std::string ApiServer::url() const {
  return fmt::format("https://{}:{}", network_.AddressOf(node_), kPort);
}

// A CA of its own, whose leaf names the address that clients use; and a key for the tokens of
// service accounts.
void ApiServer::MakeCertificates() {
  const std::string& folder = folder_.path();
  WriteText(folder_ / "server.ext",
            fmt::format("subjectAltName=IP:{},IP:127.0.0.1,DNS:kubernetes.default\n"
                        "extendedKeyUsage=serverAuth\n",
                        network_.AddressOf(node_)));
  OpenSsl(folder, {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test-ca"});
  OpenSsl(folder, {"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=kube-apiserver"});
  OpenSsl(folder,
          {"x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
           "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.crt"});
  OpenSsl(folder, {"genrsa", "-out", "sa.key", "2048"});
  // Whom extension servers believe: another CA, and one name of it.
  OpenSsl(folder, {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-keyout", "proxy-ca.key", "-out", "proxy-ca.crt", "-days", "2", "-subj",
                   "/CN=test-front-proxy-ca"});
  ProxyCertificate("front-proxy-client");
}

std::string ApiServer::ProxyCertificate(const std::string& name) {
  OpenSsl(folder_.path(),
          {"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name});
  OpenSsl(folder_.path(), {"x509", "-req", "-in", name + ".csr", "-CA", "proxy-ca.crt", "-CAkey",
                           "proxy-ca.key", "-CAcreateserial", "-days", "2", "-out", name + ".crt"});
  return folder_ / name;
}

std::string ApiServer::ClientCertificate(const std::string& user, const std::string& group,
                                         int days) {
  const std::string name = fmt::format("{}.{}", user, days);
  OpenSsl(folder_.path(), {"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                           "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj",
                           fmt::format("/O={}/CN={}", group, user)});
  OpenSsl(folder_.path(),
          {"x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key",
           "-CAcreateserial", "-days", std::to_string(days), "-out", name + ".crt"});
  return folder_ / name;
}

void ApiServer::MakeTokens() {
  std::string file;
  for (const char* const user : {"admin", "manager", "viewer", "operator", "owner", "alice"}) {
    tokens_[user] = fmt::format("token-of-{}", user);
    file += fmt::format("{0},{1},{1}{2}\n", tokens_[user], user,
                        std::string(user) == "admin" ? ",system:masters" : "");
  }
  WriteText(folder_ / "tokens.csv", file);
}

// What it says goes to a file: nobody reads a pipe while it runs, and a full one would stop it.
std::unique_ptr<Process> ApiServer::Launch(const std::string& name,
                                           std::vector<std::string> options) {
  const Network::Visit there(network_, node_);
  options.insert(options.begin(), {"sh", "-c", R"(log=$1; shift; exec "$@" 2>>"$log")", "sh",
                                   LogOf(name), ServerProgram(name)});
  return std::make_unique<Process>(std::move(options));
}

void ApiServer::LaunchEtcd() {
  etcd_ = Launch("etcd", {"--data-dir", folder_ / "etcd", "--listen-client-urls", kEtcd,
                          "--advertise-client-urls", kEtcd, "--listen-peer-urls", kEtcdPeers,
                          "--initial-advertise-peer-urls", kEtcdPeers, "--initial-cluster",
                          fmt::format("default={}", kEtcdPeers), "--unsafe-no-fsync"});
}

void ApiServer::LaunchServer() {
  server_ =
      Launch("kube-apiserver", {fmt::format("--etcd-servers={}", kEtcd),
                                fmt::format("--secure-port={}", kPort),
                                "--bind-address=0.0.0.0",
                                "--advertise-address=" + network_.AddressOf(node_),
                                "--endpoint-reconciler-type=none",
                                "--cert-dir=" + (folder_ / "certs"),
                                "--tls-cert-file=" + CertificateFile(),
                                "--tls-private-key-file=" + KeyFile(),
                                "--client-ca-file=" + CaFile(),
                                "--token-auth-file=" + (folder_ / "tokens.csv"),
                                "--service-account-key-file=" + (folder_ / "sa.key"),
                                "--service-account-signing-key-file=" + (folder_ / "sa.key"),
                                "--service-account-issuer=https://kubernetes.default",
                                "--authorization-mode=RBAC",
                                "--service-cluster-ip-range=10.96.0.0/24",
                                "--enable-aggregator-routing=true",
                                "--requestheader-client-ca-file=" + (folder_ / "proxy-ca.crt"),
                                "--requestheader-allowed-names=front-proxy-client",
                                "--requestheader-username-headers=X-Remote-User",
                                "--requestheader-group-headers=X-Remote-Group",
                                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                                "--proxy-client-cert-file=" + (folder_ / "front-proxy-client.crt"),
                                "--proxy-client-key-file=" + (folder_ / "front-proxy-client.key")});
}

void ApiServer::WaitReady() {
  const Network::Visit there(network_, node_);
  const auto limit = steady_clock::now() + kReadyWithin;
  while (!IsReady()) {
    REQUIRE_MESSAGE(steady_clock::now() < limit,
                    "no API server within 90 s: ", ReadText(LogOf("kube-apiserver")));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

bool ApiServer::IsReady() {
  return Kubectl({"--request-timeout=2s", "get", "--raw", "/readyz"}).out == "ok";
}

void ApiServer::Start() {
  LaunchEtcd();
  LaunchServer();
  WaitReady();
}

void ApiServer::Stop() {
  server_.reset();
  etcd_.reset();
}

void ApiServer::StopEtcd() { etcd_.reset(); }

void ApiServer::StartEtcd() {
  LaunchEtcd();
  WaitReady();
}

// By its gateway, which has no words for Kubernetes.
void ApiServer::AgeRecord(int versions) const {
  const Network::Visit there(network_, node_);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  const std::string url = fmt::format("{}/v3/kv/put", kEtcd);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nowhere(std::fopen("/dev/null", "w"),
                                                                &std::fclose);
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, R"({"key":"YWdl","value":"YWdl"})");
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, nowhere.get());
  for (int i = 0; i < versions; ++i) REQUIRE(curl_easy_perform(curl.get()) == CURLE_OK);
}

void ApiServer::KeepRecord() const {
  std::filesystem::copy(folder_ / "etcd", folder_ / "etcd.kept",
                        std::filesystem::copy_options::recursive);
}

void ApiServer::PutRecordBack() const {
  std::filesystem::remove_all(folder_ / "etcd");
  std::filesystem::rename(folder_ / "etcd.kept", folder_ / "etcd");
}

std::string ApiServer::Kubeconfig(const std::string& user, const std::string& ns,
                                  const std::string& server) {
  const std::string path =
      folder_ / fmt::format("{}.{}{}.kubeconfig", user, ns, server.empty() ? "" : ".other");
  const std::lock_guard lock(mutex_);
  if (!kubeconfigs_.insert(path).second) return path;
  WriteText(path,
            fmt::format(R"(apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: {}
    certificate-authority: {}
users:
- name: {}
  user:
    token: {}
contexts:
- name: test
  context:
    cluster: test
    user: {}
    namespace: {}
)",
                        server.empty() ? url() : server, CaFile(), user, Token(user), user, ns));
  return path;
}

Ended ApiServer::Kubectl(std::vector<std::string> words, const std::string& user,
                         const std::string& input) {
  words.insert(words.begin(), {ServerProgram("kubectl"), "--kubeconfig", Kubeconfig(user)});
  return Run(std::move(words),
             {.env = {{"HOME", folder_.path()}, {"KUBECONFIG", ""}}, .folder = {}, .input = input});
}

std::string ApiServer::Must(std::vector<std::string> words, const std::string& input) {
  const std::string verb = words.front();
  Ended ended = Kubectl(std::move(words), "admin", input);
  REQUIRE_MESSAGE(ended.code == 0, "kubectl ", verb, ": ", ended.err);
  return std::move(ended.out);
}

}  // namespace hsmops::test
