"use strict";
/*
Finds the pose in the webcam's picture with @mediapipe/pose, which this server has; sends the
landmarks, never the picture, over /api/live, and tells the answers.
*/

// Landmarks of @mediapipe/pose that are joined by a line; the face is left out.
const BONES = [
  [11, 12], [11, 23], [12, 24], [23, 24], [11, 13], [13, 15], [15, 19], [12, 14], [14, 16],
  [16, 20], [23, 25], [25, 27], [27, 31], [24, 26], [26, 28], [28, 32], [7, 0], [8, 0],
];
const SEEN = 0.5; // visibility from which a landmark is drawn

class Webcam {
  /** `tell(text, wrong)` shows a message; `answered(answer, delay)` takes an answer, delay in s. */
  constructor({ video, overlay, tell, answered }) {
    Object.assign(this, { video, overlay, tell, answered, running: false });
  }

  /** Whether it could be turned on. */
  async start({ layout }) {
    this.running = true;
    try {
      this.tell("Starting the webcam …");
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
      this.video.srcObject = this.stream;
      await this.video.play();
      this.tell("Loading the pose estimator …");
      await this._load();
      await this._connect(layout);
      this.tell("");
      this._run();
      return true;
    } catch (error) {
      this.stop();
      this.tell(`The webcam cannot be used: ${error.message || error}`, true);
      return false;
    }
  }

  stop() {
    this.running = false;
    for (const track of this.stream ? this.stream.getTracks() : []) track.stop();
    if (this.socket) this.socket.close();
    this.stream = this.socket = null;
  }

  async _load() {
    if (this.pose) return;
    await new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "/webcam/pose.js";
      script.onload = resolve;
      script.onerror = () => reject(new Error("the pose estimator is not installed"));
      document.head.append(script);
    });
    this.pose = new Pose({ locateFile: (file) => `/webcam/${file}` });
    this.pose.setOptions({ modelComplexity: 1, smoothLandmarks: true });
    this.pose.onResults((results) => this._found(results));
    await this.pose.initialize();
  }

  _connect(layout) {
    return new Promise((resolve, reject) => {
      this.socket = new WebSocket(`ws://${location.host}/api/live?layout=${layout}`);
      this.socket.onopen = resolve;
      this.socket.onerror = () => reject(new Error("the server does not answer"));
      this.socket.onclose = () => {
        if (this.running) this.tell("The server no longer answers: turn the webcam off and on", true);
      };
      this.socket.onmessage = (event) => this._hear(JSON.parse(event.data));
    });
  }

  async _run() {
    const { stream } = this;
    while (this.stream === stream) { // until it is turned off
      this._taken = performance.now() / 1000;
      try {
        await this.pose.send({ image: this.video });
      } catch (error) {
        if (this.stream !== stream) return;
        this.stop();
        this.tell(`The pose estimator stopped: ${error.message || error}`, true);
      }
      await new Promise(requestAnimationFrame);
    }
  }

  _found(results) {
    this._draw(results.poseLandmarks);
    if (!results.poseWorldLandmarks || !this.socket || this.socket.readyState !== WebSocket.OPEN) return;
    // MediaPipe's y points down and its z away from the camera; here y is up, right-handed.
    const joints = results.poseWorldLandmarks.map(({ x, y, z }) => [x, -y, -z]);
    this.socket.send(JSON.stringify({ time: this._taken, people: [{ id: "you", joints }] }));
  }

  _hear(reply) {
    if (reply.error) this.tell(reply.error, true);
    else this.answered(reply, performance.now() / 1000 - reply.time);
  }

  _draw(landmarks) {
    const { overlay, video } = this;
    Object.assign(overlay, { width: video.videoWidth, height: video.videoHeight });
    const context = overlay.getContext("2d");
    if (!landmarks) return;
    const seen = ({ visibility }) => visibility === undefined || visibility > SEEN;
    const at = ({ x, y }) => [x * overlay.width, y * overlay.height];
    context.lineWidth = 5;
    context.lineCap = "round";
    for (const [a, b] of BONES) {
      const ends = [landmarks[a], landmarks[b]];
      if (!ends.every(seen)) continue;
      context.strokeStyle = a % 2 !== b % 2 ? "#cfd6e2" : a % 2 ? "#5aa2ee" : "#f08a4b";
      context.beginPath();
      context.moveTo(...at(ends[0]));
      context.lineTo(...at(ends[1]));
      context.stroke();
    }
  }
}
