# The member with the greatest priority is not in the sync set, because the Primary does not reach
# it, and is equal but for what the leader has not copied yet. When the Primary dies it is not
# promoted: who is in the sync set is. (Mutant 17, promote anyone, is found by this.)
set failover.priorities {"node-3":10}
write every 500ms
at 10s cut node-1 from node-3
at 30s kill node-1
end 55s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! cut node-1 from node-3
  15.3s  status: Degraded: PeerUnreachable of node-3
  19.7s  R: epoch 1.nonce-1, holder node-1, S: node-2
  19.8s  status: Degraded: PeerUnreachable of node-3, NotEqual of node-3
  19.8s  manager-1: node-3 left the sync set: out of the Primary's reach
  19.8s  status: Degraded: PeerUnreachable of node-3
  19.8s  manager-1: nothing is wrong with Primary node-1
  30.0s  ! kill node-1
  30.0s  client: write 61 is refused: Unavailable: connection refused
  30.2s  status: ReadOnly: PrimaryUnavailable of node-1, OneFullCopy of local
  30.2s  manager-1: Primary node-1 is watched: unreachable: connection refused
  34.3s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  34.3s  failover-1 runs: Failover to node-2
  34.3s  status: FailingOver: FailingOver of node-2, OneFullCopy of local
  34.3s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2
  34.3s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  34.3s  failover-1: fence: answered: node-2, node-3
  34.3s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  34.5s  client: write 70 is refused: Unavailable: no Primary: a promotion is under way
  46.8s  failover-1: merge: node-2 pulled 0 versions and is frozen
  46.8s  R: epoch 2.nonce-2, holder node-2, S: node-3
  46.8s  failover-1: open: node-2 is the Primary of epoch 2
  46.8s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  46.8s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 60 secrets, lost none, writes stopped for 16s
  46.8s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 60 secrets, lost none, writes stopped for 16s
  46.8s  status: Degraded: MemberUnavailable of node-1
  46.8s  manager-1: nothing is wrong with Primary node-2
  47.0s  client: write 95 is acknowledged; the last before was 60, then 34 were refused and 0 in doubt

node-1: does not run
node-2: epoch 2, gate open, 76 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 76 secrets, 0 in quarantine
degraded MemberUnavailable of node-1: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
history: 45.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 110 writes: 76 acknowledged (0 of them in doubt before), 34 refused, in doubt to the end: none
acknowledged and not on the Primary: none
