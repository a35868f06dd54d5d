# A mirror's host is silently gone; a minute later the Primary's process dies. Defaults.
nodes 3
write every 2s
at 10s lose node-3
at 70s kill node-1
end 140s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! lose node-3
  13.4s  status: Degraded: MemberUnavailable of node-3
  20.4s  Event Warning DeviceLost: the device of node-3 does not answer as it should
  20.4s  R: epoch 1.nonce-1, holder node-1, S: node-2
  20.4s  manager-1: node-3 left the sync set: unhealthy
  23.4s  manager-1: nothing is wrong with Primary node-1
  70.0s  ! kill node-1
  70.0s  client: write 36 is refused: Unavailable: connection refused
  75.9s  status: ReadOnly: PrimaryUnavailable of node-1, MemberUnavailable of node-3, OneFullCopy of local
  75.9s  manager-1: Primary node-1 is watched: unreachable: connection refused
  82.9s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  82.9s  failover-1 runs: Failover to node-2
  85.9s  status: FailingOver: FailingOver of node-2, MemberUnavailable of node-3, OneFullCopy of local
  85.9s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2
  85.9s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  86.0s  client: write 44 is refused: Unavailable: no Primary: a promotion is under way
  90.9s  failover-1: fence: answered: node-2
  90.9s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  98.4s  failover-1: merge: node-2 pulled 0 versions and is frozen
  98.4s  R: epoch 2.nonce-2, holder node-2, S: nobody
  98.4s  failover-1: open: node-2 is the Primary of epoch 2
  98.4s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  98.4s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 35 secrets, lost none, writes stopped for 22s
  98.4s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 35 secrets, lost none, writes stopped for 22s
 100.0s  client: write 51 is acknowledged; the last before was 35, then 15 were refused and 0 in doubt
 101.4s  status: Degraded: MemberUnavailable of node-1, MemberUnavailable of node-3, OneFullCopy of local
 101.4s  manager-1: nothing is wrong with Primary node-2

node-1: does not run
node-2: epoch 2, gate open, 55 secrets, 0 in quarantine
node-3: does not run
degraded MemberUnavailable of node-1: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
degraded MemberUnavailable of node-3: unreachable: no answer in time; next: start or mend what the message names (agent, host, token); it is asked again at every look
degraded OneFullCopy of local: only one reachable member holds everything acknowledged; next: bring the others back or kubectl hsm sync
history: 97.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 70 writes: 55 acknowledged (0 of them in doubt before), 15 refused, in doubt to the end: none
acknowledged and not on the Primary: none
