#include "test/bench/measure.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "libhsmops/agent/local_token.h"
#include "libhsmops/token/uri.h"

namespace hsmops::bench {
namespace {

bool row_counts = true;
int missed = 0;

std::string Verdict(bool met) {
  if (!row_counts) return "";
  if (!met) ++missed;
  return met ? "met" : "MISSED";
}

}  // namespace

const std::string kFolder = "/dev/shm/kubectl-hsm-bench." + std::to_string(::getpid());

double Time(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return Seconds(std::chrono::steady_clock::now() - begin).count();
}

void Row(const std::string& work, double ours, double limit, const std::string& target, bool met) {
  std::printf("%-58s %10.3f ms %10.3f ms %7.2f x   %-18s %s\n", work.c_str(), ours * 1e3,
              limit * 1e3, limit > 0 ? ours / limit : 0.0, row_counts ? target.c_str() : "",
              Verdict(met).c_str());
  std::fflush(stdout);
}

void RateRow(const std::string& work, double ours, double limit, const std::string& target,
             bool met) {
  std::printf("%-58s %10.*f /s %10.0f /s %7.2f x   %-18s %s\n", work.c_str(), ours < 10 ? 2 : 0,
              ours, limit, limit > 0 ? ours / limit : 0.0, row_counts ? target.c_str() : "",
              Verdict(met).c_str());
  std::fflush(stdout);
}

void SizeRow(const std::string& work, double ours, double limit, const std::string& target,
             bool met) {
  std::printf("%-58s %10.1f MB %10.1f MB %7.2f x   %-18s %s\n", work.c_str(), ours, limit,
              limit > 0 ? ours / limit : 0.0, row_counts ? target.c_str() : "",
              Verdict(met).c_str());
  std::fflush(stdout);
}

void MemoryRow(const std::string& work, double ours, double limit, double more) {
  const bool met = ours > 0 && ours <= limit + more;
  std::printf("%-58s %10.1f MB %10.1f MB %+7.1f MB  %-18s %s\n", work.c_str(), ours, limit,
              ours - limit, row_counts ? fmt::format("<= + {} MB", more).c_str() : "",
              Verdict(met).c_str());
  std::fflush(stdout);
}

bool Count(bool counts) { return std::exchange(row_counts, counts); }
int Misses() { return missed; }

void Give(const std::string& what) {
  std::cerr << "bench: " << what << "\n";
  std::filesystem::remove_all(kFolder);
  std::exit(1);
}

Token MakeToken(const std::string& name) {
  const std::string folder = kFolder + "/" + name;
  return {folder,
          Must(agent::MakeLocalToken(HSMOPS_CLI, folder, name, wall, rng), "making a token")};
}

Raw RunRaw(const Token& token, const std::string& mode, int count, std::size_t bytes) {
  const std::string command = fmt::format(
      "SOFTHSM2_CONF={0}/softhsm2.conf {1} {2} {0}/pin {3} {4} {5}", token.folder, HSMOPS_RAW,
      Must(token::Uri::Parse(token.uri), "uri").module_path, mode, count, bytes);
  FILE* out = popen(command.c_str(), "r");
  Raw raw;
  double kilobytes = 0;
  if (out == nullptr || std::fscanf(out, "%lf %lf", &raw.seconds, &kilobytes) != 2 ||
      pclose(out) != 0)
    Give(command + " failed");
  raw.megabytes = kilobytes / 1024;
  return raw;
}

}  // namespace hsmops::bench
