/**
 * The two messages of the gRPC health checking protocol, grpc.health.v1, and the frame around each.
 * Whatever the octets are, reading returns a value. Pure.
 */
import { Buffer } from 'node:buffer';
import { err, ok, type Result } from '../base/result.ts';

/** HealthCheckResponse.ServingStatus. */
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
export type ServingStatus = (typeof STATUSES)[number];

/** A frame is a flag for compression, a length of four octets, and the message. */
const FRAME_BYTES = 5;
/** Field 1, length-delimited, and field 1, varint. */
const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** The framed HealthCheckRequest for `service`; '' asks about the server as a whole. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  // proto3 leaves out a field that is empty.
  const field = name.length === 0 ? [] : [SERVICE_TAG, ...varint(name.length), ...name];
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(field.length, 1);
  return Buffer.concat([frame, Buffer.from(field)]);
}

/** The status in a framed HealthCheckResponse. */
export function servingStatus(frame: Uint8Array): Result<ServingStatus, string> {
  const bytes = Buffer.from(frame);
  if (bytes.length < FRAME_BYTES) return err('the answer holds no message');
  if (bytes[0] !== 0) return err('the answer is compressed, though nobody asked for that');
  const length = bytes.readUInt32BE(1);
  if (bytes.length !== FRAME_BYTES + length) return err('the answer is not one whole message');
  const message = bytes.subarray(FRAME_BYTES);
  // proto3 leaves out a field that is 0, so an empty message says UNKNOWN.
  if (message.length === 0) return ok('UNKNOWN');
  const status = message.length === 2 && message[0] === STATUS_TAG && STATUSES[message[1]!];
  return status ? ok(status) : err('the answer is not one of the health service');
}
