# The Primary is on one side with one manager and the client, the mirrors and the other managers on
# the other. The side that reaches the API server and the sync set goes on.
write every 500ms
read every 1s
at 10s cut node-1 from node-2 node-3 manager-2 manager-3
at 10s cut manager-1 from node-2 node-3 manager-2 manager-3
at 10s cut client from node-2 node-3 manager-2 manager-3
at 10s cut manager-1 from store
at 60s join node-1
at 60s join manager-1
at 60s join client
end 85s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   1.0s  client: reads are answered by the Primary, node-1
  10.0s  ! cut node-1 from node-2 node-3 manager-2 manager-3
  10.0s  ! cut manager-1 from node-2 node-3 manager-2 manager-3
  10.0s  ! cut client from node-2 node-3 manager-2 manager-3
  10.0s  ! cut manager-1 from store
  10.4s  manager-1: nothing can be done: reading HSMDevice default/local: the resource store does not answer
  11.0s  client: write 23 is refused: Unavailable: reading HSMDevice default/local: the resource store does not answer
  15.0s  client: reads fail: Unavailable: no connection
  15.0s  client: write 21 is refused: Unavailable: no connection
  22.4s  status: ReadOnly: PrimaryUnavailable of node-1
  22.4s  manager-2: Primary node-1 is watched: unreachable: no answer in time
  29.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  29.4s  failover-1 runs: Failover to node-2
  32.4s  status: FailingOver: FailingOver of node-2
  32.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  32.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  37.4s  failover-1: fence: answered: node-2, node-3
  37.4s  failover-1: wait: node-1 does not answer (no connection); waiting 12s until its grant has run out
  44.9s  failover-1: merge: node-2 pulled 0 versions and is frozen
  44.9s  R: epoch 2.nonce-2, holder node-2, S: node-3
  44.9s  failover-1: open: node-2 is the Primary of epoch 2
  44.9s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  44.9s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 25s
  44.9s  manager-2: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 25s
  53.9s  status: Degraded: MemberUnavailable of node-1
  53.9s  manager-2: nothing is wrong with Primary node-2
  60.0s  ! join node-1
  60.0s  ! join manager-1
  60.0s  ! join client
  60.0s  client: reads are answered by the Primary, node-2
  60.0s  client: write 121 is acknowledged; the last before was 20, then 95 were refused and 0 in doubt
  61.4s  Event Normal DeviceReturned: the device of node-1 is back
  61.4s  R: epoch 2.nonce-2, holder node-2, S: node-1, node-3
  61.4s  status: Ready

node-1: epoch 2, gate closed, 70 secrets, 0 in quarantine
node-2: epoch 2, gate open, 70 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 70 secrets, 0 in quarantine
history: 44.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 170 writes: 70 acknowledged (0 of them in doubt before), 100 refused, in doubt to the end: none
acknowledged and not on the Primary: none
