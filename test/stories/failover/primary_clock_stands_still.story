# The Primary's clock stands still while it is cut off from the managers: it does not see its grant
# run out. Two gates may be open then, and nothing that is acknowledged may be lost for that.
write every 500ms
at 10s cut node-1 from managers
at 10s still node-1 30s
at 60s join node-1
end 80s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! cut node-1 from managers
  10.0s  ! still node-1 30s
  13.0s  client: write 21 is refused: Unavailable: no answer in time
  13.4s  status: ReadOnly: PrimaryUnavailable of node-1
  13.4s  manager-1: Primary node-1 is watched: unreachable: no answer in time
  20.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  20.4s  failover-1 runs: Failover to node-2
  23.4s  status: FailingOver: FailingOver of node-2
  23.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  23.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  23.5s  client: write 48 is refused: Unavailable: no Primary: a promotion is under way
  28.4s  failover-1: fence: answered: node-2, node-3
  28.4s  failover-1: wait: node-1 does not answer (no connection); waiting 12s until its grant has run out
  35.9s  failover-1: merge: node-2 pulled 0 versions and is frozen
  35.9s  R: epoch 2.nonce-2, holder node-2, S: node-3
  35.9s  failover-1: open: node-2 is the Primary of epoch 2
  35.9s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  35.9s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 25s
  35.9s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 25s
  36.0s  client: write 73 is acknowledged; the last before was 20, then 52 were refused and 0 in doubt
  38.9s  status: Degraded: MemberUnavailable of node-1
  38.9s  manager-1: nothing is wrong with Primary node-2
  60.0s  ! join node-1
  60.4s  Event Normal DeviceReturned: the device of node-1 is back
  60.4s  R: epoch 2.nonce-2, holder node-2, S: node-1, node-3
  60.4s  status: Ready

node-1: epoch 2, gate closed, 108 secrets, 0 in quarantine
node-2: epoch 2, gate open, 108 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 108 secrets, 0 in quarantine
history: 35.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 160 writes: 108 acknowledged (0 of them in doubt before), 52 refused, in doubt to the end: none
acknowledged and not on the Primary: none
