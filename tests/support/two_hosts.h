// Two hosts on one machine: network namespaces with an address each, and a link between them that can be cut.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace vlsi {

/// A network of its own, without a way to any other.
class Network {
 public:
  Network() {
    std::thread([this] {
      if (::unshare(CLONE_NEWNET) == 0) descriptor_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    }).join();
    if (descriptor_ >= 0) within([] { set_up("lo", true); });
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// Below 0 where none could be made.
  int descriptor() const { return descriptor_; }
  /// The calling thread, and those that it starts, are in this network from then on.
  void enter() const { ::setns(descriptor_, CLONE_NEWNET); }
  /// Runs `action` in this network.
  void within(const std::function<void()>& action) const {
    std::thread([&] {
      enter();
      action();
    }).join();
  }

  static bool set_up(const char* interface, bool up) {
    return request(interface, SIOCSIFFLAGS,
                   [&](ifreq& wanted) { wanted.ifr_flags = static_cast<short>(up ? IFF_UP | IFF_RUNNING : 0); });
  }

  /// In a network of 256 addresses.
  static bool set_address(const char* interface, const char* address) {
    const auto set_to = [](const char* text) {
      return [text](ifreq& wanted) {
        sockaddr_in value{};
        value.sin_family = AF_INET;
        ::inet_pton(AF_INET, text, &value.sin_addr);
        std::memcpy(&wanted.ifr_addr, &value, sizeof(value));
      };
    };
    return request(interface, SIOCSIFADDR, set_to(address)) &&
           request(interface, SIOCSIFNETMASK, set_to("255.255.255.0"));
  }

 private:
  template <class Fill>
  static bool request(const char* interface, unsigned long what, const Fill& fill) {
    ifreq wanted{};
    std::strncpy(wanted.ifr_name, interface, IFNAMSIZ - 1);
    fill(wanted);
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool done = ::ioctl(socket, what, &wanted) == 0;
    ::close(socket);
    return done;
  }

  int descriptor_ = -1;
};

/// Host 0 has the address 10.77.0.1, host 1 has 10.77.0.2.
class TwoHosts {
 public:
  static constexpr const char* kAddresses[2] = {"10.77.0.1", "10.77.0.2"};

  TwoHosts() {
    for (const auto& host : hosts_) {
      if (host.descriptor() >= 0) continue;
      trouble_ = std::string("no network namespaces may be made here: ") + std::strerror(errno_of_unshare());
      return;
    }
    bool done = false;
    hosts_[0].within([&] { done = add_link(hosts_[1].descriptor()); });
    for (int i = 0; i < 2; ++i) {
      hosts_[i].within(
          [&] { done = done && Network::set_address("eth0", kAddresses[i]) && Network::set_up("eth0", true); });
    }
    if (!done) trouble_ = "the kernel links no two network namespaces (veth)";
  }

  /// Why there are none; a test is skipped then.
  const std::optional<std::string>& trouble() const { return trouble_; }
  const Network& operator[](int64_t host) const { return hosts_[host]; }
  /// From now on nothing arrives, of which neither host is told.
  void cut() const {
    hosts_[1].within([] { Network::set_up("eth0", false); });
  }

 private:
  static int errno_of_unshare() {
    int error = 0;
    std::thread([&] { error = ::unshare(CLONE_NEWNET) == 0 ? 0 : errno; }).join();
    return error;
  }

  /// A message of attributes within attributes, as rtnetlink takes it.
  struct Message {
    std::vector<char> bytes = std::vector<char>(NLMSG_HDRLEN);

    size_t add(const void* data, size_t size) {
      const size_t at = bytes.size();
      bytes.resize(at + NLMSG_ALIGN(size));
      if (size > 0) std::memcpy(bytes.data() + at, data, size);
      return at;
    }
    void add(uint16_t type, const void* data, size_t size) {
      const size_t at = begin(type);
      add(data, size);
      end(at, size);
    }
    size_t begin(uint16_t type) {
      const rtattr head{0, type};
      return add(&head, sizeof(head));
    }
    void end(size_t at) { end(at, bytes.size() - at - sizeof(rtattr)); }
    void end(size_t at, size_t size) {
      const auto length = static_cast<unsigned short>(RTA_LENGTH(size));
      std::memcpy(bytes.data() + at, &length, sizeof(length));
    }
  };

  /// Links this network's eth0 with the other's.
  static bool add_link(int other) {
    Message message;
    const ifinfomsg no_interface{};
    message.add(&no_interface, sizeof(no_interface));
    message.add(IFLA_IFNAME, "eth0", 5);
    const auto link = message.begin(IFLA_LINKINFO);
    message.add(IFLA_INFO_KIND, "veth", 4);
    const auto data = message.begin(IFLA_INFO_DATA);
    const auto peer = message.begin(VETH_INFO_PEER);
    message.add(&no_interface, sizeof(no_interface));
    message.add(IFLA_IFNAME, "eth0", 5);
    message.add(IFLA_NET_NS_FD, &other, sizeof(other));
    for (const auto part : {peer, data, link}) message.end(part);
    nlmsghdr head{};
    head.nlmsg_len = static_cast<uint32_t>(message.bytes.size());
    head.nlmsg_type = RTM_NEWLINK;
    head.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    std::memcpy(message.bytes.data(), &head, sizeof(head));
    const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
      nlmsghdr head;
      nlmsgerr error;
      char more[1024];
    } answer{};
    const bool answered = ::send(socket, message.bytes.data(), message.bytes.size(), 0) > 0 &&
                          ::recv(socket, &answer, sizeof(answer), 0) > 0;
    ::close(socket);
    return answered && answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error == 0;
  }

  const Network hosts_[2];
  std::optional<std::string> trouble_;
};

}  // namespace vlsi
