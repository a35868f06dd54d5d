// ApiServer: a real kube-apiserver on a real etcd, on one node of a test's network.
//
// The programs are those of test/kube/servers, in the folder that $HSMOPS_SERVERS names. What is
// stored is in a folder of the object's own, on memory where there is some.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "test/support/network.h"
#include "test/support/process.h"
#include "test/support/temp_folder.h"

namespace hsmops::test {

// The path of one of them: "kubectl".
std::string ServerProgram(const std::string& name);

class ApiServer {
 public:
  // Returns when /readyz says ok. `network` must outlive it.
  ApiServer(const Network& network, std::string node);

  std::string url() const;
  std::string CaFile() const { return folder_ / "ca.crt"; }
  // What proves a user of that name: "admin" is of system:masters, others may nothing by
  // themselves.
  const std::string& Token(const std::string& user) const { return tokens_.at(user); }
  // The path of a kubeconfig with one context, of that user, in `ns`; `server` empty: url().
  // Thread-safe.
  std::string Kubeconfig(const std::string& user, const std::string& ns = "default",
                         const std::string& server = {});

  // A certificate of the cluster's CA, expired where `days` is negative: FILE.crt and FILE.key, and
  // this is FILE.
  std::string ClientCertificate(const std::string& user, const std::string& group, int days = 2);

  // One of the CA whose "front-proxy-client" may speak for others to extension servers.
  std::string ProxyCertificate(const std::string& name);

  // The real kubectl, as that user, from the node that the calling thread is in.
  Ended Kubectl(std::vector<std::string> words, const std::string& user = "admin",
                const std::string& input = {});
  // The same as admin, which must end with 0; what it printed.
  std::string Must(std::vector<std::string> words, const std::string& input = {});

  // What it proves to its clients by.
  std::string CertificateFile() const { return folder_ / "server.crt"; }
  std::string KeyFile() const { return folder_ / "server.key"; }

  void Start();  // both, and returns when it is ready
  void Stop();   // kill -9 of both
  void StopEtcd();
  void StartEtcd();  // and returns when the server, which went on, is ready again
  // So many versions later, by something that is nobody's: what hours of other people's work do.
  void AgeRecord(int versions) const;
  // What etcd has, kept and put back; both while etcd is stopped.
  void KeepRecord() const;
  void PutRecordBack() const;

 private:
  void MakeCertificates();
  void MakeTokens();
  std::string LogOf(const std::string& name) const { return folder_ / (name + ".log"); }
  std::unique_ptr<Process> Launch(const std::string& name, std::vector<std::string> options);
  void LaunchEtcd();
  void LaunchServer();
  void WaitReady();
  bool IsReady();

  const Network& network_;
  const std::string node_;
  TempFolder folder_;
  std::map<std::string, std::string> tokens_;
  std::mutex mutex_;
  std::set<std::string> kubeconfigs_;  // written
  std::unique_ptr<Process> etcd_;
  std::unique_ptr<Process> server_;
};

}  // namespace hsmops::test
