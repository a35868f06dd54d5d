# The mirror's token is swapped for one of another pool. It is never copied from and never written
# to, and the other mirror is promoted when the Primary dies.
write every 500ms
at 10s swap node-2
at 30s kill node-1
end 60s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! swap node-2
  10.4s  status: Degraded: MemberUnavailable of node-2
  14.4s  Event Warning DeviceLost: the device of node-2 does not answer as it should
  14.4s  R: epoch 1.nonce-1, holder node-1, S: node-3
  14.4s  manager-1: node-2 left the sync set: unhealthy
  14.4s  manager-1: nothing is wrong with Primary node-1
  30.0s  ! kill node-1
  30.0s  client: write 61 is refused: Unavailable: connection refused
  30.4s  status: ReadOnly: PrimaryUnavailable of node-1, MemberUnavailable of node-2, OneFullCopy of local
  30.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  34.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  34.4s  failover-1 runs: Failover to node-3
  34.4s  status: FailingOver: FailingOver of node-3, MemberUnavailable of node-2, OneFullCopy of local
  34.4s  R: epoch 2.nonce-2, no holder, target node-3, S: node-3
  34.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  34.4s  failover-1: fence: answered: node-2 (no inventory), node-3
  34.4s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  34.5s  client: write 70 is refused: Unavailable: no Primary: a promotion is under way
  46.9s  failover-1: merge: node-3 pulled 0 versions and is frozen
  46.9s  R: epoch 2.nonce-2, holder node-3, S: nobody
  46.9s  failover-1: open: node-3 is the Primary of epoch 2
  46.9s  Event Normal HSMFailover: Failover from node-1 to node-3, epoch 2, lost none: Primary node-1 is unhealthy and node-3 can have everything acknowledged
  46.9s  failover-1 ends Succeeded: node-3 is the Primary of epoch 2: 60 secrets, lost none, writes stopped for 16s
  46.9s  manager-1: Primary node-1 is unhealthy and node-3 can have everything acknowledged; node-3 is the Primary of epoch 2: 60 secrets, lost none, writes stopped for 16s
  46.9s  status: Degraded: MemberUnavailable of node-1, MemberUnavailable of node-2, OneFullCopy of local
  46.9s  manager-1: nothing is wrong with Primary node-3
  47.0s  client: write 95 is acknowledged; the last before was 60, then 34 were refused and 0 in doubt

node-1: does not run
node-2: epoch 2, gate closed, 0 secrets, 0 in quarantine
node-3: epoch 2, gate open, 86 secrets, 0 in quarantine
degraded MemberUnavailable of node-1: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
degraded MemberUnavailable of node-2: canary: the token belongs to pool uid-1, not to uid-of-the-pool; next: put the right token in, or have its maker's tool initialise this one and then kubectl hsm reinit --node node-2
degraded OneFullCopy of local: only one reachable member holds everything acknowledged; next: bring the others back or kubectl hsm sync
history: 46.9s Failover Succeeded from node-1 to node-3, epoch 2, lost none: Primary node-1 is unhealthy and node-3 can have everything acknowledged
client: 120 writes: 86 acknowledged (0 of them in doubt before), 34 refused, in doubt to the end: none
acknowledged and not on the Primary: none
