// The film of the demo: drawn here, frame by frame, so that it is nobody's.
"use strict";
(() => {
  const canvas = document.getElementById("clip");
  const draw = canvas.getContext("2d");
  const { width, height } = canvas;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const HILLS = [
    { y: 0.62, swing: 36, length: 210, speed: 14, colour: "#7d5a1e" },
    { y: 0.72, swing: 30, length: 160, speed: 34, colour: "#4a3a1c" },
    { y: 0.84, swing: 24, length: 120, speed: 70, colour: "#1c1a14" },
  ];

  const sky = (t) => {
    const evening = 0.5 + 0.5 * Math.sin(t / 9);
    const gradient = draw.createLinearGradient(0, 0, 0, height);
    gradient.addColorStop(0, `hsl(${215 + 30 * evening} 45% ${22 + 14 * evening}%)`);
    gradient.addColorStop(1, `hsl(${32 + 10 * evening} 85% ${48 + 14 * evening}%)`);
    draw.fillStyle = gradient;
    draw.fillRect(0, 0, width, height);
  };

  const sun = (t) => {
    const x = width * (0.5 + 0.3 * Math.sin(t / 11));
    const y = height * (0.42 + 0.1 * Math.cos(t / 11));
    const glow = draw.createRadialGradient(x, y, 20, x, y, 190);
    glow.addColorStop(0, "rgb(255 226 140 / 95%)");
    glow.addColorStop(0.25, "rgb(244 183 40 / 85%)");
    glow.addColorStop(1, "rgb(244 183 40 / 0%)");
    draw.fillStyle = glow;
    draw.fillRect(0, 0, width, height);
  };

  const hill = ({ y, swing, length, speed, colour }, t) => {
    draw.fillStyle = colour;
    draw.beginPath();
    draw.moveTo(0, height);
    for (let x = 0; x <= width; x += 8) {
      const at = (x + t * speed) / length;
      draw.lineTo(x, height * y + swing * (Math.sin(at) + 0.4 * Math.sin(2.3 * at)));
    }
    draw.lineTo(width, height);
    draw.fill();
  };

  const caption = (seconds) => {
    const minutes = String(Math.floor(seconds / 60)).padStart(2, "0");
    const rest = (seconds % 60).toFixed(1).padStart(4, "0");
    draw.font = "600 34px ui-monospace, Menlo, Consolas, monospace";
    draw.fillStyle = "#f3f0e6";
    draw.fillText(`${minutes}:${rest}`, 36, height - 36);
  };

  const frame = (seconds, playing) => {
    const t = still ? 0 : seconds;
    sky(t);
    sun(t);
    for (const each of HILLS) hill(each, t);
    if (!playing) {
      draw.fillStyle = "rgb(18 17 13 / 55%)";
      draw.fillRect(0, 0, width, height);
    }
    caption(seconds);
  };

  window.paygoClip = { frame };
  frame(0, false);
})();
