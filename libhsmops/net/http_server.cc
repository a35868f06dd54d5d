// Boost, which takes 20 s to compile, is here and in status_server.cc.
#include "libhsmops/net/http_server.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "libhsmops/net/listening.h"
#include "libhsmops/net/tls.h"

namespace hsmops::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using base::ErrorCode;
using base::Result;
using boost::system::error_code;

constexpr std::size_t kPiece = std::size_t{64} << 10;     // of a body, read or awaited at once
constexpr std::size_t kOneWrite = std::size_t{16} << 10;  // one TLS record: head and body together
constexpr std::size_t kMaxLingerBytes = std::size_t{4} << 20;
constexpr std::chrono::seconds kBusyRetryAfter{1};

// Errors come as values.
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

using Stream = asio::ssl::stream<beast::tcp_stream>;
// Plain text of peers passes through it.
using Buffer = beast::basic_flat_buffer<base::WipingAllocator<char>>;
using Parser = http::request_parser<http::buffer_body>;

// Boost's timers count in the steady clock.
std::chrono::steady_clock::duration Steady(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
}

base::Duration TimeFor(std::size_t bytes) {
  return std::chrono::seconds(static_cast<std::int64_t>(bytes / kPiece));
}

// What new connections begin with, as long as the credentials stay.
struct TlsContext {
  std::shared_ptr<const Credentials> credentials;
  std::shared_ptr<const FrontProxies> proxies;  // nullptr: it is for members of the pool
  asio::ssl::context context{asio::ssl::context::tls_server};
};

Result<std::shared_ptr<TlsContext>> MakeTlsContext(std::shared_ptr<const Credentials> credentials,
                                                   std::shared_ptr<const FrontProxies> proxies) {
  auto made = std::make_shared<TlsContext>();
  made->credentials = std::move(credentials);
  made->proxies = std::move(proxies);
  SSL_CTX& context = *made->context.native_handle();
  HSM_RETURN_IF_ERROR(made->proxies ? ConfigureServer(context, *made->credentials, *made->proxies)
                                    : ConfigureServer(context, *made->credentials));
  return made;
}

// A request on its way through a lane, shared with it because either may go first.
struct Job {
  Job(const asio::any_io_executor& executor, Route chosen, Received request)
      : done(executor, asio::steady_timer::time_point::max()),
        route(std::move(chosen)),
        received(std::move(request)) {}
  asio::steady_timer done;  // cancelled, on its executor, when the lane is through with it
  Route route;
  Received received;
  std::optional<Reply> reply;  // none: it was not run
};

}  // namespace

class HttpServer::Server {
 public:
  Server(ServerConfig its_config, CredentialSource& credentials, const base::Clock& its_clock,
         Router its_router, Refusals::Log log)
      : config(std::move(its_config)),
        clock(its_clock),
        router(std::move(its_router)),
        admission(config.limits.admission, clock),
        refusals(clock, std::move(log)),
        credentials_(credentials) {}
  ~Server() { Stop({}); }

  Result<void> Listen();
  void Run();
  void Stop(base::TimePoint deadline);

  // Whether a connection that began with these credentials may go on with them.
  bool Outdated(const TlsContext& tls) {
    return credentials_.Current() != tls.credentials || Proxies() != tls.proxies;
  }

  class Session;

  const ServerConfig config;
  const base::Clock& clock;
  const Router router;
  Admission admission;
  Refusals refusals;
  std::string address;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::atomic<bool> stopping{false};

 private:
  std::shared_ptr<const FrontProxies> Proxies() const {
    return config.proxies ? config.proxies() : nullptr;
  }
  asio::awaitable<void> Accept();
  void Admit(tcp::socket socket);
  std::shared_ptr<TlsContext> TlsNow();
  void ForEachSession(void (Session::*call)());
  void Forget(Session* session);

  CredentialSource& credentials_;
  std::shared_ptr<TlsContext> tls_;
  asio::io_context io_;
  // Threads stay until Stop is through, whatever is under way.
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  // One strand for accepting: the acceptor, its pause and tls_ belong to it.
  asio::any_io_executor accepting_{asio::make_strand(io_)};
  tcp::acceptor acceptor_{accepting_};
  asio::steady_timer pause_{accepting_};
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Session*, std::weak_ptr<Session>> sessions_;
};

// One connection. Everything in it happens on one strand.
class HttpServer::Server::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, tcp::socket socket, std::shared_ptr<TlsContext> tls, std::string address,
          std::string remote)
      : server_(server),
        limits_(server.config.limits),
        tls_(std::move(tls)),
        stream_(beast::tcp_stream(std::move(socket)), tls_->context),
        peer_(std::move(address)),
        remote_(std::move(remote)),
        buffer_(limits_.header_bytes + kPiece) {}
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  asio::any_io_executor executor() { return stream_.get_executor(); }
  asio::awaitable<void> Run();
  // On the strand.
  void CloseIfWaiting() {
    if (waiting_) Close();
  }
  void Close() { stream_.next_layer().close(); }

 private:
  // What is done with a request after its header: read its body and work, or answer at once.
  struct Decision {
    std::variant<Route, Reply> next;
    bool keep_alive = true;
  };

  asio::awaitable<bool> Handshake();
  asio::awaitable<bool> AwaitRequest(base::Duration patience);
  asio::awaitable<bool> ServeOne();
  asio::awaitable<bool> ReadHeader(Parser& parser);
  asio::awaitable<bool> ReadBody(Parser& parser, base::SecretBytes& body);
  asio::awaitable<Reply> Work(Route route, Received received);
  asio::awaitable<bool> Write(Reply reply, bool keep_alive, bool with_body);
  asio::awaitable<void> Linger();

  Received HeadOf(const Parser& parser) const;
  Decision Decide(const Parser& parser, const Received& head);
  Decision Admit(Route route, const Parser& parser);
  Decision Refuse(Refusal kind, Reply reply, bool keep_alive);
  // A read or a write that did not come to its end; whether for want of time.
  bool NoteIfLate(const error_code& error, Refusal kind);
  void Tell(const std::string& route, int status, base::TimePoint began) const {
    if (server_.config.answered)
      server_.config.answered(route, status, server_.clock.Now() - began);
  }
  bool MayContinue() const { return !server_.stopping && !server_.Outdated(*tls_); }
  void ExpireAfter(base::Duration time) { stream_.next_layer().expires_after(Steady(time)); }

  Server& server_;
  const ServerLimits& limits_;
  const std::shared_ptr<TlsContext> tls_;
  Stream stream_;
  std::string peer_;  // as refusals name it: the address, and the identity once it is proven
  const std::string remote_;
  Buffer buffer_;
  Proven proven_;
  bool handshaking_ = true;
  bool named_ = false;        // counted as a connection of its identity
  bool waiting_ = true;       // no request has begun
  std::size_t reserved_ = 0;  // bytes for a body
};

// --- a connection ------------------------------------------------------------------------------

HttpServer::Server::Session::~Session() {
  if (reserved_ > 0) server_.admission.GiveBytes(reserved_);
  if (named_) server_.admission.RemoveConnectionOf(proven_.identity.text());
  if (handshaking_) server_.admission.EndHandshake();
  server_.admission.CloseConnection();
  server_.Forget(this);
}

asio::awaitable<void> HttpServer::Server::Session::Run() {
  const auto self = shared_from_this();
  const bool proven = co_await Handshake();
  if (!proven) co_return;
  // A peer that shook hands has something to ask; later it may keep us waiting.
  base::Duration patience = limits_.header_time;
  for (bool again = true; again;) {
    again = co_await AwaitRequest(patience);
    if (again) again = co_await ServeOne();
    patience = limits_.idle_time;
  }
}

bool HttpServer::Server::Session::NoteIfLate(const error_code& error, Refusal kind) {
  if (error != beast::error::timeout) return false;
  server_.refusals.Note(kind, peer_, "too slow");
  return true;
}

asio::awaitable<bool> HttpServer::Server::Session::Handshake() {
  ExpireAfter(limits_.handshake_time);
  auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kTuple);
  if (error) {
    if (!NoteIfLate(error, Refusal::kHandshakeTime) && !server_.stopping) {
      const std::string why = WhyRefused(*stream_.native_handle());
      server_.refusals.Note(Refusal::kHandshake, peer_, why.empty() ? error.message() : why);
      co_await Linger();
    }
    co_return false;
  }
  const auto& connection = *stream_.native_handle();
  auto proven = tls_->proxies ? ProvenProxy(connection) : ProvenPeer(connection);
  if (!proven.ok()) {
    server_.refusals.Note(Refusal::kHandshake, peer_, proven.error().message());
    co_return false;
  }
  // Not before: who was refused counts among the unproven until it is gone.
  handshaking_ = false;
  server_.admission.EndHandshake();
  proven_ = *std::move(proven);
  peer_ = proven_.identity.text();
  named_ = server_.admission.AddConnectionOf(peer_);
  co_return true;
}

asio::awaitable<bool> HttpServer::Server::Session::AwaitRequest(base::Duration patience) {
  if (buffer_.size() > 0) co_return true;
  if (server_.stopping) co_return false;
  ExpireAfter(patience);
  waiting_ = true;
  auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(kPiece / 16), kTuple);
  waiting_ = false;
  buffer_.commit(size);
  co_return !error;
}

asio::awaitable<bool> HttpServer::Server::Session::ReadHeader(Parser& parser) {
  parser.header_limit(limits_.header_bytes);
  parser.body_limit(boost::none);  // the route's, later
  ExpireAfter(limits_.header_time);
  auto [error, size] = co_await http::async_read_header(stream_, buffer_, parser, kTuple);
  if (!error) co_return true;
  if (NoteIfLate(error, Refusal::kHeaderTime)) co_return false;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    const std::string text = fmt::format("a header longer than {} bytes", limits_.header_bytes);
    server_.refusals.Note(Refusal::kHeaderSize, peer_, text);
    co_await Write(PlainReply(431, text), false, true);
    co_await Linger();
  } else if (error.category() == make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    server_.refusals.Note(Refusal::kMalformed, peer_, error.message());
    co_await Write(PlainReply(400, error.message()), false, true);
    co_await Linger();
  }
  co_return false;
}

Received HttpServer::Server::Session::HeadOf(const Parser& parser) const {
  const auto& message = parser.get();
  Received head{std::string(message.method_string()),
                std::string(message.target()),
                proven_.identity,
                remote_,
                {},
                {}};
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = beast::detail::ascii_tolower(c);
    if (tls_->proxies) head.fields.emplace_back(name, field.value());
    auto [entry, is_new] = head.headers.try_emplace(std::move(name), field.value());
    if (!is_new) entry->second.append(", ").append(field.value());
  }
  return head;
}

HttpServer::Server::Session::Decision HttpServer::Server::Session::Refuse(Refusal kind, Reply reply,
                                                                          bool keep_alive) {
  const base::SecretBytes& text = reply.body;  // of ours: PlainReply
  server_.refusals.Note(
      kind, peer_, std::string_view(reinterpret_cast<const char*>(text.data()), text.size() - 1));
  return {std::move(reply), keep_alive};
}

// In this order: who it is, how often it comes, what it wants, how much it brings.
HttpServer::Server::Session::Decision HttpServer::Server::Session::Decide(const Parser& parser,
                                                                          const Received& head) {
  if (!named_) {
    return Refuse(Refusal::kPeerConnections,
                  PlainReply(429, "too many connections of this identity", kBusyRetryAfter), false);
  }
  if (server_.clock.Wall() > proven_.not_after) {
    return Refuse(Refusal::kPeerExpired,
                  PlainReply(401, "the certificate of this connection has expired"), false);
  }
  if (const auto wait = server_.admission.TakeRequest(peer_)) {
    return Refuse(Refusal::kRate, PlainReply(429, "too many requests of this identity", wait),
                  true);
  }
  const auto expect = head.headers.find("expect");
  if (expect != head.headers.end() && !beast::iequals(expect->second, "100-continue")) {
    return Refuse(Refusal::kMalformed, PlainReply(417, "no such expectation is met here"), true);
  }
  auto routed = server_.router(head);
  if (auto* reply = std::get_if<Reply>(&routed)) {
    if (reply->status == 403) return Refuse(Refusal::kRole, std::move(*reply), true);
    return {std::move(*reply), true};
  }
  return Admit(std::get<Route>(std::move(routed)), parser);
}

HttpServer::Server::Session::Decision HttpServer::Server::Session::Admit(Route route,
                                                                         const Parser& parser) {
  HSM_CHECK(route.lane < server_.lanes.size());
  const std::uint64_t body =
      parser.chunked() ? route.max_body : parser.content_length().value_or(0);
  if (body > route.max_body) {
    return Refuse(Refusal::kBodySize,
                  PlainReply(413, fmt::format("a body longer than {} bytes", route.max_body)),
                  false);
  }
  if (server_.lanes[route.lane]->full()) {
    return Refuse(Refusal::kBusy,
                  PlainReply(503, fmt::format("busy: {}", server_.config.lanes[route.lane].name),
                             kBusyRetryAfter),
                  true);
  }
  if (!server_.admission.TakeBytes(body)) {
    return Refuse(Refusal::kBusy, PlainReply(503, "busy: memory for bodies", kBusyRetryAfter),
                  true);
  }
  reserved_ = body;
  return {std::move(route), true};
}

asio::awaitable<bool> HttpServer::Server::Session::ReadBody(Parser& parser,
                                                            base::SecretBytes& body) {
  const auto began = std::chrono::steady_clock::now();
  std::size_t received = 0;
  error_code error;
  body.reserve(parser.content_length().value_or(0));
  while (!parser.is_done() && !error) {
    const std::size_t piece = std::min<std::uint64_t>(
        kPiece, parser.chunked() ? kPiece : parser.content_length_remaining().value_or(0));
    body.resize(received + piece);
    parser.get().body().data = body.data() + received;
    parser.get().body().size = piece;
    stream_.next_layer().expires_at(
        std::min(std::chrono::steady_clock::now() + Steady(limits_.body_pause),
                 began + Steady(limits_.body_time + TimeFor(received))));
    auto [read_error, size] = co_await http::async_read_some(stream_, buffer_, parser, kTuple);
    received += piece - parser.get().body().size;
    if (read_error != http::error::need_buffer) error = read_error;
  }
  body.resize(received);
  if (!error) co_return true;
  if (error == http::error::body_limit) {
    const std::string text = "a body longer than this route allows";
    server_.refusals.Note(Refusal::kBodySize, peer_, text);
    co_await Write(PlainReply(413, text), false, true);
    co_await Linger();
  } else {
    NoteIfLate(error, Refusal::kBodyTime);
  }
  co_return false;
}

asio::awaitable<Reply> HttpServer::Server::Session::Work(Route route, Received received) {
  Lane& lane = *server_.lanes[route.lane];
  const std::string& name = server_.config.lanes[route.lane].name;
  stream_.next_layer().expires_never();  // the work has limits of its own
  const auto job = std::make_shared<Job>(executor(), std::move(route), std::move(received));
  {
    // Goes when the last copy of the work goes, whether it was run or dropped. Until the wait below
    // has begun this strand is busy, so the cancelling cannot come before it.
    const std::shared_ptr<void> wake(nullptr, [job](void*) {
      asio::post(job->done.get_executor(), [job] { job->done.cancel(); });
    });
    (void)lane.Offer([job, wake] {
      // A defect in one answer is no end of all of them.
      try {
        job->reply = job->route.handle(std::move(job->received));
      } catch (const std::exception&) {
        job->reply = PlainReply(500, "this request could not be worked on");
      }
    });
  }
  co_await job->done.async_wait(kTuple);
  if (job->reply) co_return std::move(*job->reply);
  server_.refusals.Note(Refusal::kBusy, peer_, name);
  co_return PlainReply(503, fmt::format("busy: {}", name), kBusyRetryAfter);
}

asio::awaitable<bool> HttpServer::Server::Session::ServeOne() {
  Parser parser;
  const bool whole = co_await ReadHeader(parser);
  if (!whole) co_return false;
  Received head = HeadOf(parser);
  const base::TimePoint began = server_.clock.Now();
  const bool with_body = head.method != "HEAD";
  Decision decision = Decide(parser, head);
  if (auto* reply = std::get_if<Reply>(&decision.next)) {
    // A body that nobody will read stands between this request and the next.
    Tell("", reply->status, began);
    const bool keep =
        decision.keep_alive && parser.is_done() && parser.keep_alive() && MayContinue();
    const bool written = co_await Write(std::move(*reply), keep, with_body);
    if (written && !keep) co_await Linger();
    co_return written&& keep;
  }
  Route route = std::get<Route>(std::move(decision.next));
  parser.body_limit(route.max_body);
  if (head.headers.contains("expect") && !parser.is_done()) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    ExpireAfter(limits_.write_time);
    auto [error, size] = co_await asio::async_write(
        stream_, asio::buffer(kContinue.data(), kContinue.size()), kTuple);
    if (error) co_return false;
  }
  const bool read = co_await ReadBody(parser, head.body);
  if (!read) co_return false;
  const std::string name = route.name;
  Reply reply = co_await Work(std::move(route), std::move(head));
  Tell(name, reply.status, began);
  server_.admission.GiveBytes(std::exchange(reserved_, 0));
  const bool keep = parser.keep_alive() && MayContinue();
  const bool written = co_await Write(std::move(reply), keep, with_body);
  co_return written&& keep;
}

asio::awaitable<bool> HttpServer::Server::Session::Write(Reply reply, bool keep_alive,
                                                         bool with_body) {
  const std::string head = EncodeHead(reply, keep_alive);
  const bool has_body = with_body && reply.status != 204 && !reply.body.empty();
  const bool together = has_body && head.size() + reply.body.size() <= kOneWrite;
  // One buffer at a time: for several, Asio copies them together where they are not wiped.
  base::SecretBytes first;
  first.reserve(head.size() + (together ? reply.body.size() : 0));
  first.Append(base::AsBytes(head));
  if (together) first.Append(reply.body);
  ExpireAfter(limits_.write_time + TimeFor(reply.body.size()));
  auto [error, size] =
      co_await asio::async_write(stream_, asio::buffer(first.data(), first.size()), kTuple);
  if (!error && has_body && !together) {
    auto [body_error, body_size] = co_await asio::async_write(
        stream_, asio::buffer(reply.body.data(), reply.body.size()), kTuple);
    error = body_error;
  }
  if (error) NoteIfLate(error, Refusal::kWriteTime);
  co_return !error;
}

asio::awaitable<void> HttpServer::Server::Session::Linger() {
  error_code error;
  stream_.next_layer().socket().shutdown(tcp::socket::shutdown_send, error);
  ExpireAfter(limits_.linger_time);
  waiting_ = true;
  std::array<char, 4096> thrown_away;
  for (std::size_t total = 0; !error && total < kMaxLingerBytes;) {
    auto [read_error, size] =
        co_await stream_.next_layer().async_read_some(asio::buffer(thrown_away), kTuple);
    error = read_error;
    total += size;
  }
}

// --- the server --------------------------------------------------------------------------------

Result<void> HttpServer::Server::Listen() {
  HSM_CHECK(!config.lanes.empty() && config.io_threads > 0);
  if (!config.proxies || Proxies()) {
    HSM_TRY(tls_, MakeTlsContext(credentials_.Current(), Proxies()));
  }
  HSM_RETURN_IF_ERROR(ListenOn(acceptor_, config.listen));
  error_code error;
  address = TextOf(acceptor_.local_endpoint(error));
  return {};
}

void HttpServer::Server::Run() {
  for (const LaneLimits& limits : config.lanes) lanes.push_back(std::make_unique<Lane>(limits));
  asio::co_spawn(accepting_, Accept(), [](const std::exception_ptr&) {});
  for (unsigned i = 0; i < config.io_threads; ++i) threads_.emplace_back([this] { io_.run(); });
}

asio::awaitable<void> HttpServer::Server::Accept() {
  while (!stopping) {
    auto [error, socket] =
        co_await acceptor_.async_accept(asio::any_io_executor(asio::make_strand(io_)), kTuple);
    if (stopping) co_return;
    if (!error) {
      Admit(std::move(socket));
      continue;
    }
    // Out of descriptors or memory it would fail again at once, and the connection stays in line.
    refusals.Note(Refusal::kAccept, "connection", error.message());
    pause_.expires_after(Steady(config.limits.accept_pause));
    co_await pause_.async_wait(kTuple);
  }
}

// nullptr: it is not known whom to let in.
std::shared_ptr<TlsContext> HttpServer::Server::TlsNow() {
  if (tls_ && !Outdated(*tls_)) return tls_;
  const auto proxies = Proxies();
  if (config.proxies && !proxies) return nullptr;
  if (auto made = MakeTlsContext(credentials_.Current(), proxies); made.ok())
    tls_ = *std::move(made);
  return tls_;
}

void HttpServer::Server::Admit(tcp::socket socket) {
  error_code error;
  const tcp::endpoint remote = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const std::string remote_address = remote.address().to_string();
  auto tls = TlsNow();
  if (!tls) {
    refusals.Note(Refusal::kHandshake, remote_address, "it is not known yet whom to let in");
    return;
  }
  if (!admission.OpenConnection()) {
    refusals.Note(Refusal::kConnections, remote_address, "too many connections are open");
    return;
  }
  socket.set_option(tcp::no_delay(true), error);
  auto session = std::make_shared<Session>(*this, std::move(socket), std::move(tls), remote_address,
                                           TextOf(remote));
  {
    const std::lock_guard lock(mutex_);
    sessions_.emplace(session.get(), session);
  }
  const auto executor = session->executor();
  asio::co_spawn(executor, session->Run(), [session](const std::exception_ptr&) {});
}

void HttpServer::Server::Forget(Session* session) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(session);
  // Under the mutex: Stop may let go of this object as soon as it sees an empty map.
  changed_.notify_all();
}

void HttpServer::Server::ForEachSession(void (Session::*call)()) {
  std::vector<std::shared_ptr<Session>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [pointer, session] : sessions_) {
      if (auto alive = session.lock()) all.push_back(std::move(alive));
    }
  }
  for (auto& session : all) {
    const auto executor = session->executor();
    asio::post(executor, [session = std::move(session), call] { (session.get()->*call)(); });
  }
}

void HttpServer::Server::Stop(base::TimePoint deadline) {
  if (stopping.exchange(true) || threads_.empty()) return;
  asio::post(accepting_, [this] {
    error_code ignored;  // it is closed either way
    acceptor_.close(ignored);
    pause_.cancel();
  });
  ForEachSession(&Session::CloseIfWaiting);
  const auto empty = [this] { return sessions_.empty(); };
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::max(base::Duration{}, deadline - clock.Now()), empty);
  }
  ForEachSession(&Session::Close);
  for (const auto& lane : lanes) lane->Stop();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, empty);
  }
  work_.reset();
  for (std::thread& thread : threads_) thread.join();
}

HttpServer::HttpServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::Start(ServerConfig config,
                                                      CredentialSource& credentials,
                                                      const base::Clock& clock, Router router,
                                                      Refusals::Log log) {
  auto server = std::make_unique<Server>(std::move(config), credentials, clock, std::move(router),
                                         std::move(log));
  HSM_RETURN_IF_ERROR(server->Listen());
  server->Run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(server)));
}

const std::string& HttpServer::address() const { return server_->address; }
const Refusals& HttpServer::refusals() const { return server_->refusals; }
std::size_t HttpServer::connections() const { return server_->admission.connections(); }
void HttpServer::Stop(base::TimePoint deadline) { server_->Stop(deadline); }

}  // namespace hsmops::net
