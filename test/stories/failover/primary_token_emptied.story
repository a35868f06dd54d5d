# The token under a running Primary is emptied.
write every 500ms
at 10s empty node-1
end 40s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! empty node-1
  10.0s  client: write 21 is refused: Unavailable: the token was a member and is empty now: it was initialised or swapped; reinit makes it a member again
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: canary: the token was a member and is empty now: it was initialised or swapped; reinit makes it a member again
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  failover-1 runs: Failover to node-2
  14.4s  status: FailingOver: FailingOver of node-2
  14.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  14.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  14.4s  failover-1: fence: answered: node-1 (no inventory), node-2, node-3
  14.4s  failover-1: merge: node-2 pulled 0 versions and is frozen
  14.4s  R: epoch 2.nonce-2, holder node-2, S: node-3
  14.4s  failover-1: open: node-2 is the Primary of epoch 2
  14.4s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  14.4s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 4s
  14.4s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 4s
  14.4s  status: Degraded: MemberUnavailable of node-1
  14.4s  manager-1: nothing is wrong with Primary node-2
  14.5s  client: write 30 is acknowledged; the last before was 20, then 9 were refused and 0 in doubt

node-1: epoch 2, gate closed, 0 secrets, 0 in quarantine
node-2: epoch 2, gate open, 71 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 71 secrets, 0 in quarantine
degraded MemberUnavailable of node-1: canary: the token was a member and is empty now: it was initialised or swapped; reinit makes it a member again; next: kubectl hsm reinit --node node-1
history: 13.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 80 writes: 71 acknowledged (0 of them in doubt before), 9 refused, in doubt to the end: none
acknowledged and not on the Primary: none
