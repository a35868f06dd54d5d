# The Primary reaches the managers and not its mirrors, and the managers reach them all. Nobody is
# unhealthy, and no write is confirmed, until the leader takes the mirrors out of the sync set: with
# durability Available the Primary writes alone then, and the leader goes on copying. When they
# reach each other again the mirrors come back.
write every 500ms
at 10s cut node-1 from mirrors
at 30s join node-1
end 45s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! cut node-1 from mirrors
  10.4s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  10.9s  status: Ready
  15.0s  client: write 21 is in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: no connection; node-3: no connection)
  15.4s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  15.9s  status: Ready
  15.9s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  16.4s  status: Ready
  20.5s  client: write 21 stays in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: it did not answer and is left alone for a moment; node-3: it did not answer and is left alone for a moment)
  20.9s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  21.4s  status: Ready
  21.4s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  21.9s  status: Ready
  26.4s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  26.9s  status: Ready
  26.9s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  27.4s  status: Ready
  27.4s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  27.9s  status: Ready
  27.9s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  28.4s  status: Ready
  30.0s  ! join node-1
  32.9s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  33.4s  status: Ready
  33.4s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  33.9s  status: Ready
  33.9s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  34.4s  status: Ready
  34.4s  status: Degraded: NotEqual of node-2, NotEqual of node-3, OneFullCopy of local
  34.5s  client: write 56, which was in doubt, is acknowledged
  34.5s  client: write 70 is acknowledged; the last before was 20, then 0 were refused and 49 in doubt
  34.5s  client: write 66, which was in doubt, is acknowledged
  34.9s  status: Ready
  35.0s  client: write 67, which was in doubt, is acknowledged
  35.5s  client: write 68, which was in doubt, is acknowledged
  36.0s  client: write 69, which was in doubt, is acknowledged

node-1: epoch 1, gate open, 90 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 90 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 90 secrets, 0 in quarantine
client: 90 writes: 90 acknowledged (49 of them in doubt before), 0 refused, in doubt to the end: none
acknowledged and not on the Primary: none
